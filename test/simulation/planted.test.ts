// Faults planted in the program, of the kinds that ledgers are known to die of: the simulation finds each of them.
import { describe, expect, it } from 'vitest'
import { BUGS } from './bugs.ts'
import { type Ran, runThread } from './threads.ts'

const SEEDS_MAX = 3_000

describe('the simulation finds', () => {
  it.each(BUGS.map(bug => [bug.name, bug] as const))('%s', { timeout: 240_000 }, async (_, bug) => {
    const found: Ran[] = []
    const places = await runThread({ bug, seed: 1, end: 1 + SEEDS_MAX, step: 1 }, result => {
      if (result.violation === null) return 'go on'
      found.push(result)
      return 'stop'
    })
    expect(places, 'the place of the fault is there once').toBe(1)
    console.log(`${bug.name}: seed ${found[0]?.seed}: ${found[0]?.violation}`)
    expect(found).toHaveLength(1)
  })
})
