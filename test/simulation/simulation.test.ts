// Whole replicas on a simulated machine, a few hundred seeds of trouble: every promise is kept, and the same seed is the same story.
import { availableParallelism } from 'node:os'
import { expect, it } from 'vitest'
import { runSeed } from './run.ts'
import { type Ran, runThread } from './threads.ts'

const SEEDS = 300

it(`keeps every promise over ${SEEDS} seeds`, { timeout: 120_000 }, async () => {
  const first = 1 // the same ones everywhere: `make simulate` goes on from there
  const failed: Ran[] = []
  let ran = 0
  const take = (result: Ran): 'go on' => {
    ran += 1
    if (result.violation !== null) failed.push(result)
    return 'go on'
  }
  const step = availableParallelism()
  const threads = Array.from({ length: step }, (_, index) => runThread({ bug: null, seed: first + index, end: first + SEEDS, step }, take))
  await Promise.all(threads)
  console.log(`simulated seeds ${first} to ${first + SEEDS - 1}`)
  expect(failed.map(({ seed, violation }) => `make simulate SEED=${seed}: ${violation}`)).toEqual([])
  expect(ran).toBe(SEEDS)
})

it('tells the same story of the same seed', async () => {
  const [once, again] = [await runSeed(7), await runSeed(7)]
  expect(again).toEqual(once)
  expect((await runSeed(8)).hash).not.toBe(once.hash)
})
