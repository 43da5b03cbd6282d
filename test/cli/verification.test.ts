// Ledgers that keep to the law are proven, whatever store they are in, wherever their stream begins, and while they move.
import { describe, expect, it } from 'vitest'
import type { Ledger } from '../../src/ports.ts'
import { Honest } from '../contract/honest.ts'
import { makeMemory, makeSqlite } from '../contract/makers.ts'
import type { MakeLedger } from '../contract/moves.ts'
import { oneLaw } from '../contract/one-law.ts'
import { cutAfter, told, verify } from './proving.ts'

const makers: Readonly<Record<string, MakeLedger>> = { memory: makeMemory, sqlite: makeSqlite }
const SEED = Math.floor(Math.random() * 2 ** 31)

describe.each(Object.entries(makers))('honest ledgers in %s', (name, make) => {
  it('are proven, from their first entry and from any other', async () => {
    const seen = new Set<string>()
    for (let seed = SEED; seed < SEED + (name === 'memory' ? 40 : 4); seed += 1) {
      const made = await make({ streamMax: 100_000 })
      try {
        const play = Honest.on(made, seed)
        for (let round = 0; round < 4; round += 1) {
          await play.turns(120)
          expect(await told(made.ledger), `seed ${seed}`).toBe('proven')
          const read = await made.ledger.entries({ afterSeq: 0, count: 1 })
          for (const part of [0.1, 0.5, 0.9, 1])
            expect(await told(cutAfter(made.ledger, Math.floor(part * ('seq' in read ? read.seq : 0)))), `seed ${seed}, ${part}`).toBe(
              'proven',
            )
        }
        for (const outcome of play.seen.keys()) seen.add(outcome)
      } finally {
        await made.close()
      }
    }
    const reached = ['settled', 'settled-over', 'settled-late', 'raised', 'reasserted', 'arrears', 'conflict'].map(
      kind => `settle: ${kind}`,
    )
    const others = [
      'release: released',
      'release: settled-late',
      'release: tombstoned',
      'adjust: adjusted',
      'sweep: expired',
      'sweep: collected',
    ]
    expect([...seen]).toEqual(expect.arrayContaining([...reached, ...others, 'reserve: refused', 'observe: observed']))
  })

  it('are proven where the store itself trims its stream', async () => {
    const made = await make({ streamMax: 150 })
    try {
      const play = Honest.on(made, SEED)
      for (let round = 0; round < 8; round += 1) {
        await play.turns(100)
        expect(await told(made.ledger), `seed ${SEED}`).toBe('proven')
      }
      const verified = await verify(made.ledger)
      expect(verified.kind === 'proven' && verified.proof.firstSeq).toBeGreaterThan(1)
    } finally {
      await made.close()
    }
  })
})

it('command lists of the one law are proven, where money is charged alike', async () => {
  await oneLaw({ memory: provenAtTheEnd(makeMemory), sqlite: provenAtTheEnd(makeSqlite) }, { runs: 12, commands: 60 })
  await oneLaw({ memory: provenAtTheEnd(makeMemory) }, { runs: 150, commands: 80 })
})

/** A ledger that is proven when it is closed; the lists know nothing of costs, so their amounts of money are made one. */
function provenAtTheEnd(make: MakeLedger): MakeLedger {
  return async options => {
    const made = await make(options)
    const settle: Ledger['settle'] = async move => {
      const cost = move.amounts[move.lines.findIndex(each => each.unit === 'USD' && each.window.kind !== 'inFlight')]
      const amounts = move.amounts.map((amount, index) => (move.lines[index]?.unit === 'USD' && cost !== undefined ? cost : amount))
      return made.ledger.settle({ ...move, amounts })
    }
    const close = async (): Promise<void> => {
      try {
        expect(await told(made.ledger)).toBe('proven')
      } finally {
        await made.close()
      }
    }
    return { ...made, ledger: { ...made.ledger, settle }, close }
  }
}
