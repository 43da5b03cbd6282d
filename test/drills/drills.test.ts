// Every failure drill on a real Envoy: what its client sees is told, none hangs, and the ledger ends at the provider's bill.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../e2e/until.ts'
import { nano, settled } from '../e2e/world.ts'
import { CHAPTERS } from './chapters.ts'
import { type Charged, type Drill, seenBy } from './drill.ts'
import { HANGS_MS, Stage } from './stage.ts'

const DRILLS = CHAPTERS.flatMap(({ drills }) => drills)
/** A holder is silent for 15 s before it is swept, and sweeps are 2 s apart. */
const SWEPT_MS = 60_000
/** What a machine may add that is not this test's alone; a client that hangs waits for {@link HANGS_MS}. */
const BUSY_MACHINE_MS = 10_000

let stage: Stage

beforeAll(async () => {
  stage = await Stage.set()
})
afterAll(async () => {
  await stage?.strike()
})

describe.each(CHAPTERS)('$title', ({ drills }) => {
  for (const drill of drills) {
    // A machine that is not this test's alone may stand still in the middle: what fails twice is ours.
    it(drill.what, { retry: 1 }, async () => {
      stage.begin(drill.id)
      try {
        const answer = await drill.run(stage)
        expect(seenBy(answer), answer.body.slice(0, 300)).toEqual(drill.sees)
        if (drill.within !== null) expect(stage.waitedMs, 'nobody hangs').toBeLessThan(drill.within.ms + BUSY_MACHINE_MS)
        expect(answer.totalMs, 'nobody hangs').toBeLessThan(HANGS_MS)
      } finally {
        await stage.mend()
      }
    })
  }
})

interface Books {
  readonly billed: bigint
  readonly spent: bigint
  readonly suspense: bigint
  readonly overrun: bigint
}

describe('the ledger afterwards', () => {
  let rows: Awaited<ReturnType<typeof settled>>

  beforeAll(async () => {
    await until('the provider to have billed everything', 30_000, null, async () => (await stage.provider.open()) === 0)
    rows = await settled(stage.purser, SWEPT_MS)
  })

  const books = async ({ id }: Drill): Promise<Books> => {
    const tag = stage.tagOf(id)
    const row = rows.find(({ policy, partition }) => policy === 'drills' && partition === tag)
    const sum = (amount: string | undefined): bigint => nano(amount ?? '0')
    const billed = (await stage.provider.billedFor(tag)) + stage.upstream.billedFor(tag)
    return { billed, spent: sum(row?.spent), suspense: sum(row?.suspense), overrun: sum(row?.overrun) }
  }

  it.each(DRILLS)('$id: $charged', async drill => {
    const seen = await books(drill)
    expect(seen.overrun).toBe(0n)
    expect({ ...seen, as: chargedAs(seen, drill.charged) }).toEqual({ ...seen, as: drill.charged })
  })

  it('proves itself', () => {
    const purser = join(import.meta.dirname, '../../bin/purser')
    expect(() => execFileSync(purser, ['verify', '--ledger', stage.redis.url], { encoding: 'utf8' })).not.toThrow()
  })
})

/** `expected` where the books bear it out, else what they say instead. */
function chargedAs({ billed, spent, suspense }: Books, expected: Charged): Charged | 'less than was billed' | 'otherwise' {
  if (spent < billed) return 'less than was billed'
  const proven = spent - suspense
  const holds: Readonly<Record<Charged, boolean>> = {
    nothing: spent === 0n && billed === 0n,
    exact: billed > 0n && proven === billed && suspense === 0n,
    more: proven > 0n && proven <= billed && suspense > 0n,
    unproven: proven === 0n && suspense > 0n,
    mixed: proven > 0n && proven <= billed,
  }
  return holds[expected] ? expected : 'otherwise'
}
