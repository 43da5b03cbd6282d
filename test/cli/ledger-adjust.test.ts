// Adjustments by an operator: what is shown, what each outcome says to do, and that a word said twice moves nothing twice.
import { describe, expect, it } from 'vitest'
import { ledger as ledgerCommand } from '../../src/cli/ledger.ts'
import type { AdjustOutcome } from '../../src/core/reservation.ts'
import type { Ledger } from '../../src/ports.ts'
import { makeMemory } from '../contract/makers.ts'
import { HOUR, hourOf, IN_FLIGHT, line, SECOND, settleMove, sliding } from '../contract/moves.ts'
import { type Scene, scene } from '../contract/scene.ts'
import { budget, ORGANISATION } from '../contract/story.ts'
import { told } from './proving.ts'
import { type Ran, runOn } from './tools.ts'

const run = (ledger: Ledger, ...args: readonly string[]): Promise<Ran> => runOn(ledger, ledgerCommand, ['adjust', ...args])

const adjust = (ledger: Ledger, id: string, actual: string, reason = 'invoice 7'): Promise<Ran> =>
  run(ledger, id, '--actual', actual, '--reason', reason)

/** One reservation of 2 dollars that expired, and so is charged without proof. */
async function expired({ admit, now, pass, sweepAll }: Scene): Promise<string> {
  const of = { ...ORGANISATION, limit: 10_000_000_000n }
  const lines = [
    line('', 2_000_000_000n, of),
    line('', 2_000_000_000n, { ...of, ...budget('hourly', 'USD', hourOf(await now())) }),
    line('', 1n, budget('flight', 'Requests', IN_FLIGHT)),
    line('', 2_000_000_000n, { ...of, ...budget('second', 'USD', sliding(SECOND)) }),
  ]
  const { id } = await admit(lines, { deadlineMs: (await now()) + SECOND })
  await pass(3 * SECOND)
  await sweepAll()
  return id
}

describe('purser ledger adjust', () => {
  it('shows what each budget had, and has', () =>
    scene(makeMemory, async at => {
      const id = await expired(at)
      expect(await adjust(at.ledger, id, '1.25')).toEqual({
        code: 0,
        err: '',
        out: `Reservation ${id} is charged 1.25 USD now, proven.
  BudgetPolicy default/teams, limit organisation: spent 2 USD -> 1.25 USD, suspense 2 USD -> 0 USD, available 8 USD -> 8.75 USD
  BudgetPolicy default/teams, limit hourly from 2026-05-14T10:00:00Z to 2026-05-14T11:00:00Z: spent 2 USD -> 1.25 USD, suspense 2 USD -> 0 USD, available 8 USD -> 8.75 USD
Entry 5 of the stream tells of it, with your reason.
`,
      })
      const entries = await at.entries()
      expect(entries.at(-1)).toMatchObject({ seq: 5, what: 'adjusted', how: expect.stringMatching(/^[0-9a-f]{32} invoice 7$/) })
      expect(await told(at.ledger)).toBe('proven')
    }))

  it('adds what the provider billed beyond it, and moves nothing for the same word again', () =>
    scene(makeMemory, async at => {
      const id = await expired(at)
      expect((await adjust(at.ledger, id, '2.5')).out).toContain(
        'limit organisation: spent 2 USD -> 2.5 USD, suspense 2 USD -> 0 USD, overrun 0 USD -> 0.5 USD, available 8 USD -> 7.5 USD\n',
      )
      expect(await adjust(at.ledger, id, '2.50')).toEqual({
        code: 0,
        err: '',
        out: `Reservation ${id} was adjusted so before: nothing moved.\n`,
      })
      expect((await adjust(at.ledger, id, '3', 'a second invoice')).out).toContain(
        'limit organisation: spent 2.5 USD -> 3 USD, overrun 0.5 USD -> 1 USD, available 7.5 USD -> 7 USD\n',
      )
      expect(await adjust(at.ledger, id, '2')).toMatchObject({ code: 1, err: expect.stringContaining('a proven charge is not taken back') })
      expect(await told(at.ledger)).toBe('proven')
    }))

  it('says of each that cannot be adjusted what to do', () =>
    scene(makeMemory, async at => {
      const money = [line('', 5n, ORGANISATION)]
      const open = await at.admit(money)
      expect(await adjust(at.ledger, open.id, '1')).toMatchObject({
        code: 1,
        out: '',
        err: expect.stringContaining(`Reservation ${open.id} is still open`),
      })
      const other = [line('a', 5n)]
      const tokens = await at.admit(other)
      await at.ledger.settle(settleMove(tokens, other, [5n], false))
      expect(await adjust(at.ledger, tokens.id, '1')).toMatchObject({ code: 1, err: expect.stringContaining('counts in no budget of USD') })
      await at.ledger.settle(settleMove(open, money, [5n]))
      await at.pass(HOUR)
      await at.sweepAll()
      expect(await adjust(at.ledger, open.id, '1')).toMatchObject({
        code: 1,
        err: expect.stringContaining(`no record of reservation ${open.id}: check the id`),
      })
    }))

  it.each<[AdjustOutcome, RegExp]>([
    [
      { kind: 'unavailable', why: 'Redis hangs' },
      /^It is not known whether it was adjusted: Redis hangs. Run the same command again; it moves nothing twice.\n$/,
    ],
    [
      { kind: 'clock-skew', storeMs: 0 },
      /^Nothing was adjusted: the clocks of this machine and of the ledger are more than a minute apart.\n$/,
    ],
    [{ kind: 'out-of-bounds', why: 'there is no room' }, /^This adjustment cannot be made: there is no room.\n$/],
  ])('says what became of it: %o', (outcome, words) =>
    scene(makeMemory, async at => {
      const ran = await adjust({ ...at.ledger, adjust: async () => outcome }, 'a'.repeat(32), '1')
      expect(ran).toMatchObject({ code: 1, out: '', err: expect.stringMatching(words) })
    }),
  )

  it('takes money as it is written, to the nano-dollar, and nothing else', () =>
    scene(makeMemory, async ({ ledger }) => {
      const asked: bigint[] = []
      const noting: Ledger = {
        ...ledger,
        adjust: async move => {
          asked.push(move.actual)
          return { kind: 'no-money', storeMs: 0 }
        },
      }
      const id = 'a'.repeat(32)
      for (const text of ['0', '0.000000001', '12.5', '007']) await adjust(noting, id, text)
      expect(asked).toEqual([0n, 1n, 12_500_000_000n, 7_000_000_000n])
      for (const text of ['', '1e3', '-1', '0.0000000001', '1,5', '$2', '9007200'])
        expect(await adjust(noting, id, text), text).toMatchObject({ code: 2, out: '' })
      for (const reason of ['', 'two\nlines', 'x'.repeat(201)])
        expect((await adjust(noting, id, '1', reason)).err).toContain('the reason is not one line of 1 to 200 printable characters')
      for (const wrong of [[], ['b'], [id, id]]) expect((await run(noting, ...wrong, '--actual', '1', '--reason', 'r')).code).toBe(2)
      expect(asked).toHaveLength(4)
    }))
})
