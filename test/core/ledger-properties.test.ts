// What holds after any list of moves: an auditor who sees only the stream knows every balance, and when nothing is lost all is exact.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createModelLedger, type ModelLedger } from '../../src/core/ledger.ts'
import type { Holder, Line, ReservationId, ReserveMove } from '../../src/core/reservation.ts'
import type { Window } from '../../src/core/window.ts'
import { LEDGER_RULES, OUTBOX_KEEP_MS } from '../../src/limits.ts'
import { Auditor } from '../contract/auditor.ts'
import {
  adjustMove,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  key,
  LIFETIME,
  line,
  MINUTE,
  mintId,
  observeMove,
  releaseMove,
  SECOND,
  settleMove,
  sliding,
  version,
} from '../contract/moves.ts'

const START = Date.UTC(2026, 4, 14, 10, 15)
const seed = Math.floor(Math.random() * 2 ** 31)

const BUDGETS: readonly ((nowMs: number) => { unit: 'USD' | 'Tokens'; window: Window; name: string })[] = [
  () => ({ name: 'life', unit: 'USD', window: LIFETIME }),
  nowMs => ({ name: 'hour', unit: 'USD', window: hourOf(nowMs) }),
  () => ({ name: 'minute', unit: 'Tokens', window: sliding(MINUTE) }),
  () => ({ name: 'second', unit: 'USD', window: sliding(SECOND) }),
  () => ({ name: 'flight', unit: 'Tokens', window: IN_FLIGHT }),
]

interface Share {
  readonly budget: number
  readonly amount: bigint
  readonly floor: bigint
  readonly hard: boolean
}

type Command =
  | { readonly kind: 'reserve'; readonly by: number; readonly alternatives: readonly (readonly Share[])[]; readonly openMs: number }
  | { readonly kind: 'again' | 'release' | 'beat' | 'sweep'; readonly which: number }
  | { readonly kind: 'settle' | 'observe'; readonly which: number; readonly amounts: readonly bigint[]; readonly proven: boolean }
  | { readonly kind: 'adjust'; readonly which: number; readonly actual: bigint }
  | {
      readonly kind: 'unseen'
      readonly how: 'lost' | 'arrears' | 'reassert' | 'bury'
      readonly shares: readonly Share[]
      readonly agoMs: number
    }
  | { readonly kind: 'limit'; readonly budget: number; readonly limit: bigint; readonly step: -1 | 0 | 1 }
  | { readonly kind: 'wait'; readonly ms: number }

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const amount = fc.oneof(fc.bigInt(0n, 5n), fc.bigInt(0n, 400n))
const shares = fc.uniqueArray(
  fc
    .tuple(fc.nat(BUDGETS.length - 1), amount, amount, fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()))
    .map(([budget, amount, floor, hard]): Share => ({ budget, amount, floor: least(floor, amount), hard })),
  { minLength: 1, maxLength: 5, selector: share => share.budget },
)
const which = fc.nat(6)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('reserve' as const),
      by: fc.nat(2),
      alternatives: fc.array(shares, { minLength: 1, maxLength: 3 }),
      openMs: fc.constantFrom(2 * SECOND, MINUTE, 2 * HOUR),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('again' as const, 'release', 'beat', 'sweep'), which }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('settle' as const, 'settle', 'observe'),
      which,
      amounts: fc.array(amount, { minLength: 5, maxLength: 5 }),
      proven: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('adjust' as const), which, actual: amount }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('unseen' as const),
      how: fc.constantFrom('lost' as const, 'arrears', 'reassert', 'bury'),
      shares,
      agoMs: fc.constantFrom(0, 20 * SECOND, 5 * HOUR, 25 * HOUR),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('limit' as const),
      budget: fc.nat(BUDGETS.length - 1),
      limit: fc.bigInt(0n, 1_500n),
      step: fc.constantFrom(-1 as const, 0, 1, 1),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(7, 300, SECOND, 4 * SECOND, 16 * SECOND, 61 * SECOND, 10 * MINUTE, HOUR, 3 * HOUR, 25 * HOUR, -30 * SECOND),
    }),
  },
)

interface Known {
  readonly move: Pick<ReserveMove, 'id' | 'holder'>
  readonly reserve: ReserveMove | null
  readonly lines: readonly Line[]
}

/** Plays commands on a fresh model, and shows the auditor every step. */
function play(commands: readonly Command[], kinds: Set<string>): void {
  const ledger = createModelLedger(LEDGER_RULES, 1_000_000)
  const auditor = new Auditor()
  const look = (): void => {
    auditor.take(ledger.entries({ afterSeq: auditor.seq, count: 1_000 }, nowMs).value)
    const { value, storeMs, seq } = ledger.read(auditor.balances(), nowMs)
    expect(seq).toBe(auditor.seq)
    auditor.hold(value, storeMs)
  }
  const known: Known[] = []
  const limits = BUDGETS.map(() => ({ limit: 1_000n, generation: 5 }))
  let nowMs = START
  const time = () => ({ storeClockMs: nowMs, callerWallMs: nowMs })
  const lineOf = ({ budget, amount, floor, hard }: Share): Line => {
    const { name, unit, window } = (BUDGETS[budget] ?? BUDGETS[0])?.(nowMs) ?? { name: '', unit: 'USD', window: LIFETIME }
    const { limit, generation } = limits[budget] ?? { limit: 0n, generation: 0 }
    return line(name, amount, { unit, window, floor, hard, limit, version: version(generation), key: key(name, window, [], unit) })
  }
  const pick = (index: number): Known | undefined => known[known.length - 1 - index]
  for (const each of commands) {
    switch (each.kind) {
      case 'reserve': {
        const alternatives = each.alternatives.map(set => set.map(lineOf))
        const ids = { id: mintId(nowMs), holder: holder(each.by) }
        const move = { ...ids, alternatives, deadlineMs: nowMs + each.openMs, notAfterMs: nowMs + 5 * SECOND, priceBook: '' }
        const outcome = ledger.reserve(move, time())
        if (outcome.kind === 'reserved') known.push({ move, reserve: move, lines: alternatives[outcome.alternative] ?? [] })
        break
      }
      case 'unseen':
        known.push(unseen(ledger, each.how, each.shares.map(lineOf), nowMs - each.agoMs, nowMs))
        break
      case 'limit':
        limits[each.budget] = { limit: each.limit, generation: Math.max(0, (limits[each.budget]?.generation ?? 0) + each.step) }
        break
      case 'wait':
        nowMs += each.ms
        break
      case 'sweep':
        ledger.sweep(time())
        break
      case 'beat':
        ledger.beat(holder(each.which % 3), time())
        break
      default: {
        const one = pick(each.which)
        // Nobody repeats a settlement for longer than the ledger remembers what it charged.
        if (one !== undefined && !auditor.isOver(one.move.id, nowMs - OUTBOX_KEEP_MS)) act(ledger, each, one, nowMs)
      }
    }
    look()
  }
  for (const kind of auditor.kinds) kinds.add(kind)
}

function unseen(
  ledger: ModelLedger,
  how: 'lost' | 'arrears' | 'reassert' | 'bury',
  lines: readonly Line[],
  atMs: number,
  nowMs: number,
): Known {
  const time = { storeClockMs: nowMs, callerWallMs: nowMs }
  const move = { id: mintId(atMs), holder: holder(1) }
  const amounts = lines.map(each => each.amount)
  if (how === 'bury') ledger.release(releaseMove(move, lines), time)
  else if (how === 'reassert') ledger.reassert({ ...move, lines, deadlineMs: nowMs + MINUTE, priceBook: '' }, time)
  else ledger.settle({ ...settleMove(move, lines, amounts, amounts.length % 2 === 0), arrears: how === 'arrears' }, time)
  return { move, reserve: null, lines }
}

function act(
  ledger: ModelLedger,
  each: Exclude<Command, { kind: 'reserve' | 'unseen' | 'limit' | 'wait' }>,
  { move, reserve, lines }: Known,
  nowMs: number,
): void {
  const time = { storeClockMs: nowMs, callerWallMs: nowMs }
  if (each.kind === 'again' && reserve !== null) ledger.reserve(reserve, time)
  else if (each.kind === 'release') ledger.release(releaseMove(move, lines), time)
  else if (each.kind === 'adjust') ledger.adjust(adjustMove(move, each.actual), time)
  else if (each.kind === 'settle') ledger.settle(settleMove(move, lines, each.amounts.slice(0, lines.length), each.proven), time)
  else if (each.kind === 'observe') ledger.observe(observeMove(move.holder, [move, each.amounts.slice(0, lines.length)]), time)
}

it('after any moves, the stream alone tells every balance, no reserve went over, and every id ended once', () => {
  const kinds = new Set<string>()
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 120, size: 'max' }), commands => play(commands, kinds)),
    { seed, numRuns: 600 },
  )
  const all = ['reserved', 'settled', 'settled-over', 'settled-late', 'raised', 'reasserted', 'released', 'tombstoned', 'expired']
  expect([...kinds].sort(), `seed ${seed}`).toEqual([...all, 'collected', 'adjusted', 'arrears', 'presented'].sort())
})

/** One call as it truly went, and what the ledger is told of it before the proof. */
interface Told {
  readonly amounts: readonly bigint[]
  readonly actual: readonly bigint[]
  readonly floors: readonly bigint[]
  /** Its reserve was lost, or overtaken. */
  readonly reserved: boolean
  readonly rumours: readonly ('again' | 'observe' | 'unproven' | 'release' | 'wait' | 'sweep')[]
  readonly wrong: readonly bigint[]
  readonly proofs: number
}

const three = fc.array(fc.bigInt(0n, 90n), { minLength: 4, maxLength: 4 })
const toldCall: fc.Arbitrary<Told> = fc
  .record({
    amounts: three,
    actual: fc.oneof(
      three,
      three.map(() => [0n, 0n, 0n, 0n]),
    ),
    floors: three,
    reserved: fc.boolean(),
    rumours: fc.array(fc.constantFrom('again' as const, 'observe', 'unproven', 'release', 'wait', 'sweep'), { maxLength: 6 }),
    wrong: three,
    proofs: fc.integer({ min: 1, max: 3 }),
  })
  .map(call => ({
    ...call,
    floors: call.floors.map((floor, index) => least(floor, call.amounts[index] ?? 0n)),
    // Only what was never sent is released.
    rumours: call.actual.every(amount => amount === 0n) ? call.rumours : call.rumours.filter(rumour => rumour !== 'release'),
  }))

it('when every call is proven in the end, whatever came before and however often, each balance is exactly what was used', () => {
  fc.assert(
    fc.property(fc.array(toldCall, { minLength: 1, maxLength: 12 }), fc.infiniteStream(fc.nat(1_000)), (calls, order) => {
      const ledger = createModelLedger(LEDGER_RULES, 1_000_000)
      const windows: readonly Window[] = [LIFETIME, hourOf(START), sliding(HOUR), IN_FLIGHT]
      let nowMs = START
      const time = () => ({ storeClockMs: nowMs, callerWallMs: nowMs })
      const sent: Told[] = []
      const steps = calls.map(call => {
        const lines = windows.map((window, index) =>
          line(`w${index}`, call.amounts[index] ?? 0n, { window, floor: call.floors[index] ?? 0n, limit: 100_000n }),
        )
        const move = { id: '' as ReservationId, holder: '' as Holder }
        const begin = (): void => {
          Object.assign(move, { id: mintId(nowMs), holder: holder(1 + (calls.indexOf(call) % 2)) })
          sent.push(call)
          if (call.reserved) reserve()
        }
        const reserve = (): void => {
          ledger.reserve({ ...move, alternatives: [lines], deadlineMs: nowMs + MINUTE, notAfterMs: nowMs + MINUTE, priceBook: '' }, time())
        }
        const rumour = (what: Told['rumours'][number]) => (): void => {
          if (what === 'again') reserve()
          else if (what === 'observe') ledger.observe(observeMove(move.holder, [move, call.wrong]), time())
          else if (what === 'unproven') ledger.settle(settleMove(move, lines, call.wrong, false), time())
          else if (what === 'release') ledger.release(releaseMove(move, lines), time())
          else if (what === 'wait') nowMs += 17 * SECOND
          else ledger.sweep(time())
        }
        const proof = (): void => void ledger.settle(settleMove(move, lines, call.actual), time())
        return [begin, ...call.rumours.map(rumour), ...Array.from({ length: call.proofs }, () => proof)]
      })
      while (steps.some(left => left.length > 0)) {
        const waiting = steps.filter(left => left.length > 0)
        waiting[order.next().value % waiting.length]?.shift()?.()
        ledger.beat(holder(9), time())
      }
      for (const [index, window] of windows.entries()) {
        const counts = window.kind !== 'inFlight'
        const sum = (of: (call: Told) => bigint): bigint => sent.reduce((total, call) => total + (counts ? of(call) : 0n), 0n)
        const spent = sum(call => call.actual[index] ?? 0n)
        const overrun = sum(call => {
          const over = (call.actual[index] ?? 0n) - (call.amounts[index] ?? 0n)
          return over > 0n ? over : 0n
        })
        const balance = ledger.read([{ key: key(`w${index}`, window), window }], nowMs).value[0]
        expect(balance ?? { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n }).toMatchObject({
          reserved: 0n,
          spent,
          suspense: 0n,
          overrun,
        })
      }
    }),
    { seed, numRuns: 1_500 },
  )
})
