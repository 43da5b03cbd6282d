// Commands to a ledger as plain values, and how random lists of them are made: near every edge, and shrinkable to a few lines.
import fc from 'fast-check'
import type { Unit } from '../../src/core/budget.ts'
import { AMOUNT_TOP, DAY, HOUR, LIMIT_TOP, MINUTE, SECOND } from './moves.ts'

/** An amount of a line: exactly so much, or so much more or less than what is left, so that the edge is always near. */
export type AmountSpec = { readonly kind: 'exactly'; readonly amount: bigint } | { readonly kind: 'left'; readonly beside: bigint }

export interface LineSpec {
  readonly budget: number
  readonly amount: AmountSpec
  readonly hard: boolean
  /** Quarters of the amount that an expiry charges at least. */
  readonly floor: number
}

/** How a settlement is told beside its amounts. `response`: which of a few hashes, or none. */
export interface Telling {
  readonly proven: boolean
  readonly arrears: boolean
  readonly response: number | null
}

/** One reservation's progress: by line a few beside the floor, or (from 10 on) quarters of what was reserved. */
export interface ProgressSpec {
  readonly which: number
  readonly amounts: readonly number[]
  /** One amount more than the reservation has lines. */
  readonly tooMany: boolean
}

export type Command =
  | { readonly kind: 'reserve'; readonly holder: number; readonly alternatives: readonly (readonly LineSpec[])[]; readonly openMs: number }
  | { readonly kind: 'again'; readonly which: number; readonly otherAmount: boolean }
  | ({ readonly kind: 'settle'; readonly which: number; readonly amounts: readonly number[] } & Telling)
  | { readonly kind: 'release'; readonly which: number }
  | ({
      readonly kind: 'unseen'
      readonly ageMs: number
      readonly lines: readonly LineSpec[]
      readonly arrears: boolean
      readonly times: number
    } & Telling)
  | { readonly kind: 'bury'; readonly reserve: boolean }
  | { readonly kind: 'beat'; readonly holder: number }
  /** `holder` 3: that of the first reservation. `times`: the same progress over and over, beyond what one script may have. */
  | { readonly kind: 'observe'; readonly holder: number; readonly progress: readonly ProgressSpec[]; readonly times: number }
  /** `actual`: quarters of what the reservation's first line in USD reserved; 7 is the most there is, 8 one more than reserved. */
  | { readonly kind: 'adjust'; readonly which: number; readonly adjustId: number; readonly actual: number; readonly times: number }
  /** `which`: one that was seen before, or null for new ones, as many as `lines`. */
  | {
      readonly kind: 'reassert'
      readonly which: number | null
      readonly ageMs: number
      readonly openMs: number
      readonly lines: readonly (readonly LineSpec[])[]
    }
  | { readonly kind: 'find'; readonly response: number }
  /** `behind`: how many entries the exporter has not read; below 0 it claims some that are still to come. */
  | { readonly kind: 'acknowledge'; readonly behind: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'limit'; readonly budget: number; readonly to: AmountSpec; readonly version: -1 | 0 | 1 }
  /** Without a beat, the store's mark stays behind the clock until something is written. */
  | { readonly kind: 'step'; readonly ms: number; readonly beat: boolean }
  | { readonly kind: 'pass'; readonly seconds: number }
  | { readonly kind: 'wrong'; readonly how: (typeof WRONG)[number] }

const WRONG = ['late', 'stale', 'many', 'negative', 'floor', 'response', 'observed', 'reason', 'skewed'] as const

interface Budget {
  readonly name: string
  readonly unit: Unit
  readonly window: 'lifetime' | 'hour' | 'inFlight' | number
  readonly limit: bigint
}

export const BUDGETS: readonly Budget[] = [
  { name: 'life', unit: 'USD', window: 'lifetime', limit: 1_000n },
  { name: 'hour', unit: 'USD', window: 'hour', limit: 700n },
  { name: 'minute', unit: 'USD', window: 60 * SECOND, limit: 500n },
  { name: 'second', unit: 'Requests', window: 1 * SECOND, limit: 3n },
  { name: 'span', unit: 'Tokens', window: 90_001, limit: 900n },
  { name: 'flight', unit: 'Requests', window: 'inFlight', limit: 4n },
  { name: 'exposure', unit: 'USD', window: 'inFlight', limit: 900n },
  { name: 'huge', unit: 'USD', window: 'lifetime', limit: LIMIT_TOP },
  { name: 'nothing', unit: 'OutputTokens', window: 'lifetime', limit: 0n },
]

const nat = (max: number) => fc.nat({ max })
const which = nat(8)
const amount: fc.Arbitrary<AmountSpec> = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt(0n, 3n).map(amount => ({ kind: 'exactly', amount }) as const) },
  { weight: 4, arbitrary: fc.bigInt(100n, 400n).map(amount => ({ kind: 'exactly', amount }) as const) },
  { weight: 4, arbitrary: fc.bigInt(-2n, 2n).map(beside => ({ kind: 'left', beside }) as const) },
  { weight: 1, arbitrary: fc.constantFrom(AMOUNT_TOP, AMOUNT_TOP - 1n).map(amount => ({ kind: 'exactly', amount }) as const) },
)
const lineSpec = fc.record({
  budget: nat(BUDGETS.length - 1),
  amount,
  hard: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.boolean()),
  floor: fc.constantFrom(4, 4, 0, 1, 3),
})
const lineSpecs = fc.uniqueArray(lineSpec, { minLength: 1, maxLength: 5, selector: spec => spec.budget })
const eighths = fc.array(nat(8), { minLength: 1, maxLength: 5 })
const telling = { proven: fc.boolean(), arrears: fc.constantFrom(false, false, true), response: fc.constantFrom(null, null, 0, 1, 2) }
const openMs = fc.constantFrom(2 * SECOND, 30 * SECOND, 10 * MINUTE, 5 * HOUR)
const ageMs = fc.constantFrom(0, 30 * SECOND, 2 * HOUR, DAY + MINUTE)
const progress = fc.record({
  which,
  amounts: fc.array(fc.constantFrom(-1, 0, 1, 2, 10, 12, 14, 15, 17), { minLength: 1, maxLength: 5 }),
  tooMany: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.boolean()),
})
const STEPS_MS = [
  17,
  333,
  SECOND,
  4 * SECOND,
  61 * SECOND + 1,
  17 * MINUTE,
  HOUR,
  2 * HOUR + MINUTE,
  DAY + MINUTE,
  -2 * SECOND,
  -50 * SECOND,
]
const limitTo: fc.Arbitrary<AmountSpec> = fc.oneof(
  fc.bigInt(0n, 800n).map(beside => ({ kind: 'left', beside }) as const),
  fc.constantFrom(0n, 1n, 1_000n, LIMIT_TOP).map(amount => ({ kind: 'exactly', amount }) as const),
)

/** The fields of a kind of command, each as its arbitrary. */
type Fields<Kind> = {
  [Field in keyof Omit<Extract<Command, { kind: Kind }>, 'kind'>]: fc.Arbitrary<Extract<Command, { kind: Kind }>[Field]>
}

function made<Kind extends Command['kind']>(
  weight: number,
  kind: Kind,
  fields: Fields<Kind>,
): { weight: number; arbitrary: fc.Arbitrary<Command> } {
  return {
    weight,
    arbitrary: fc.record(fields as Record<string, fc.Arbitrary<unknown>>).map(values => ({ kind, ...values }) as unknown as Command),
  }
}

export const command: fc.Arbitrary<Command> = fc.oneof(
  made(9, 'reserve', { holder: nat(2), alternatives: fc.array(lineSpecs, { minLength: 1, maxLength: 4 }), openMs }),
  made(1, 'again', { which, otherAmount: fc.boolean() }),
  made(8, 'settle', { which, amounts: eighths, ...telling }),
  made(2, 'release', { which }),
  made(2, 'unseen', { ageMs, lines: lineSpecs, times: fc.constantFrom(1, 2), ...telling }),
  made(1, 'bury', { reserve: fc.boolean() }),
  made(1, 'beat', { holder: nat(2) }),
  made(3, 'observe', {
    holder: fc.constantFrom(3, 3, 0, 1),
    progress: fc.array(progress, { maxLength: 4 }),
    times: fc.constantFrom(1, 1, 1, 20),
  }),
  made(3, 'adjust', { which: nat(12), adjustId: nat(2), actual: nat(8), times: fc.constantFrom(1, 2) }),
  made(1, 'reassert', {
    which: fc.oneof(fc.constant(null), which),
    ageMs,
    openMs,
    lines: fc.array(lineSpecs, { minLength: 1, maxLength: 3 }),
  }),
  made(1, 'find', { response: nat(3) }),
  made(2, 'acknowledge', { behind: fc.integer({ min: -3, max: 12 }) }),
  made(2, 'sweep', {}),
  made(4, 'limit', { budget: nat(BUDGETS.length - 1), to: limitTo, version: fc.constantFrom(-1, 0, 1, 1) }),
  made(4, 'step', { ms: fc.constantFrom(...STEPS_MS), beat: fc.boolean() }),
  made(2, 'pass', { seconds: fc.constantFrom(8, 12, 20, 64) }),
  made(1, 'wrong', { how: fc.constantFrom(...WRONG) }),
)
