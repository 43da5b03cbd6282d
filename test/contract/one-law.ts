// One law, many stores: a random list of commands runs on all of them, and after every command outcomes and balances are equal.
import fc from 'fast-check'
import { expect } from 'vitest'
import { type BudgetKey, budgetKey, type LimitVersion, type Unit } from '../../src/core/budget.ts'
import { EMPTY_BALANCE, type Line, type ReservationId, type ReserveMove } from '../../src/core/reservation.ts'
import type { Window } from '../../src/core/window.ts'
import type { Ledger, LedgerEntry, ReservationRecord } from '../../src/ports.ts'
import {
  AMOUNT_TOP,
  DAY,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  type LedgerUnderTest,
  LIFETIME,
  LIMIT_TOP,
  type MakeLedger,
  MINUTE,
  SECOND,
  sliding,
} from './moves.ts'
import { WITNESS } from './scene.ts'

/** An amount of a line: exactly so much, or so much more or less than what is left, so that the edge is always near. */
type AmountSpec = { readonly kind: 'exactly'; readonly amount: bigint } | { readonly kind: 'left'; readonly beside: bigint }

interface LineSpec {
  readonly budget: number
  readonly amount: AmountSpec
  readonly hard: boolean
}

export type Command =
  | { readonly kind: 'reserve'; readonly holder: number; readonly alternatives: readonly (readonly LineSpec[])[]; readonly openMs: number }
  | { readonly kind: 'again'; readonly which: number; readonly otherAmount: boolean }
  | { readonly kind: 'settle'; readonly which: number; readonly amounts: readonly number[]; readonly proven: boolean }
  | { readonly kind: 'release'; readonly which: number }
  | { readonly kind: 'unseen'; readonly ageMs: number; readonly lines: readonly LineSpec[]; readonly proven: boolean }
  | { readonly kind: 'bury'; readonly reserve: boolean }
  | { readonly kind: 'beat'; readonly holder: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'limit'; readonly budget: number; readonly to: AmountSpec; readonly version: -1 | 0 | 1 }
  | { readonly kind: 'step'; readonly ms: number }
  | { readonly kind: 'pass'; readonly seconds: number }
  | { readonly kind: 'wrong'; readonly how: 'late' | 'stale' | 'many' | 'negative' | 'skewed' }

interface Budget {
  readonly name: string
  readonly unit: Unit
  readonly window: 'lifetime' | 'hour' | 'inFlight' | number
  readonly limit: bigint
}

const BUDGETS: readonly Budget[] = [
  { name: 'life', unit: 'USD', window: 'lifetime', limit: 1_000n },
  { name: 'hour', unit: 'USD', window: 'hour', limit: 700n },
  { name: 'minute', unit: 'Tokens', window: 60 * SECOND, limit: 500n },
  { name: 'second', unit: 'Requests', window: 1 * SECOND, limit: 3n },
  { name: 'span', unit: 'Tokens', window: 90_001, limit: 900n },
  { name: 'flight', unit: 'Requests', window: 'inFlight', limit: 4n },
  { name: 'huge', unit: 'USD', window: 'lifetime', limit: LIMIT_TOP },
  { name: 'nothing', unit: 'OutputTokens', window: 'lifetime', limit: 0n },
]

const nat = (max: number) => fc.nat({ max })
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
})
const lineSpecs = fc.uniqueArray(lineSpec, { minLength: 1, maxLength: 5, selector: spec => spec.budget })
const which = nat(8)

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('reserve' as const),
      holder: nat(2),
      alternatives: fc.array(lineSpecs, { minLength: 1, maxLength: 4 }),
      openMs: fc.constantFrom(2 * SECOND, 30 * SECOND, 10 * MINUTE, 5 * HOUR),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('again' as const), which, otherAmount: fc.boolean() }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which,
      amounts: fc.array(nat(8), { minLength: 1, maxLength: 5 }),
      proven: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), which }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('unseen' as const),
      ageMs: fc.constantFrom(0, 30 * SECOND, 2 * HOUR, DAY + MINUTE),
      lines: lineSpecs,
      proven: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('bury' as const), reserve: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('beat' as const), holder: nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('limit' as const),
      budget: nat(BUDGETS.length - 1),
      to: fc.oneof(
        fc.bigInt(0n, 800n).map(beside => ({ kind: 'left', beside }) as const),
        fc.constantFrom(0n, 1n, 1_000n, LIMIT_TOP).map(amount => ({ kind: 'exactly', amount }) as const),
      ),
      version: fc.constantFrom(-1, 0, 1, 1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      ms: fc.constantFrom(
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
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.constantFrom(8, 20, 64) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wrong' as const), how: fc.constantFrom('late', 'stale', 'many', 'negative', 'skewed') }),
  },
)

/** Where every run begins: a fixed instant, in the middle of a second. */
const START_MS = Date.UTC(2026, 4, 14, 10, 15, 0, 500)

/**
 * Runs random command lists on fresh ledgers of all makers, the first being the model, and holds each answer of the others against it.
 * Rejects with the shrunk list and the seed where they differ. `entries`: whether the streams must be equal too. Answers how often each
 * kind of outcome was seen, by command, so that a suite can tell that its lists reached them.
 */
export async function oneLaw(
  makers: Readonly<Record<string, MakeLedger>>,
  options: { readonly runs: number; readonly commands: number; readonly entries: boolean; readonly seed?: number },
): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>()
  const lists = fc.array(command, { minLength: 1, maxLength: options.commands, size: 'max' })
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31)
  await fc.assert(
    fc.asyncProperty(lists, async list => runOnAll(makers, list, options.entries, seen)),
    { seed, numRuns: options.runs, endOnFailure: false, interruptAfterTimeLimit: 600_000, markInterruptAsFailure: false },
  )
  return seen
}

/** Runs one list on all makers: how a counterexample is replayed. */
export async function runOnAll(
  makers: Readonly<Record<string, MakeLedger>>,
  list: readonly Command[],
  entries: boolean,
  seen: Map<string, number> = new Map(),
): Promise<void> {
  const stores: Store[] = []
  try {
    for (const [name, make] of Object.entries(makers)) stores.push(await openStore(name, make))
    const play = new Play(stores, seen)
    for (const each of list) await play.run(each)
    await play.compareRecords()
    if (entries) await play.compareEntries()
  } finally {
    await Promise.all(stores.map(store => store.made.close()))
  }
}

interface Store {
  readonly name: string
  readonly made: LedgerUnderTest
}

async function openStore(name: string, make: MakeLedger): Promise<Store> {
  const made = await make({ streamMax: 100_000 })
  await made.advance(START_MS - (await made.nowMs()))
  return { name, made }
}

class Play {
  readonly #stores: readonly Store[]
  /** What every store's clock shows. */
  #nowMs = START_MS
  #minted = 0
  readonly #reserved: { readonly move: ReserveMove; lines: readonly Line[] }[] = []
  readonly #limits = new Map<number, { limit: bigint; generation: number }>()
  readonly #touched = new Map<string, { readonly key: BudgetKey; readonly window: Window }>()

  readonly #seen: Map<string, number>

  constructor(stores: readonly Store[], seen: Map<string, number>) {
    this.#stores = stores
    this.#seen = seen
  }

  async run(command: Command): Promise<void> {
    await this.#perform(command)
    await this.#compareBalances(command)
  }

  async #perform(command: Command): Promise<void> {
    switch (command.kind) {
      case 'reserve':
        return this.#reserve(command)
      case 'again': {
        const known = this.#pick(command.which)
        if (known === undefined) return
        const more = (lines: readonly Line[]) => lines.map(line => ({ ...line, amount: line.amount === 0n ? 1n : line.amount - 1n }))
        const move = command.otherAmount ? { ...known.move, alternatives: known.move.alternatives.map(more) } : known.move
        await this.#everywhere(command, ledger => ledger.reserve(move))
        return
      }
      case 'settle': {
        const known = this.#pick(command.which)
        if (known === undefined) return
        const amounts = known.lines.map((line, index) => factor(line.amount, command.amounts[index % command.amounts.length] ?? 0))
        const { id, holder } = known.move
        await this.#everywhere(command, ledger =>
          ledger.settle({ id, holder, lines: known.lines, amounts, proven: command.proven, how: 'test' }),
        )
        return
      }
      case 'release': {
        const known = this.#pick(command.which)
        if (known === undefined) return
        const { id, holder } = known.move
        await this.#everywhere(command, ledger => ledger.release({ id, holder, lines: known.lines, how: 'test' }))
        return
      }
      case 'unseen': {
        const lines = await this.#lines(command.lines)
        const id = this.#mint(Math.max(0, this.#nowMs - command.ageMs))
        const amounts = lines.map(line => line.amount)
        const move = { id, holder: holder(1), lines, amounts, proven: command.proven, how: 'test' }
        await this.#everywhere(command, ledger => ledger.settle(move))
        this.#reserved.push({ move: this.#reserveMove(id, [lines], 1, 10 * MINUTE), lines })
        return
      }
      case 'bury':
        return this.#bury(command)
      case 'beat':
        await this.#everywhere(command, ledger => ledger.beat(holder(command.holder)))
        return
      case 'sweep':
        return this.#sweep(command)
      case 'limit': {
        const left = command.to.kind === 'left' ? (await this.#used(command.budget)) + command.to.beside : command.to.amount
        const before = this.#limit(command.budget)
        const limit = clamp(left, LIMIT_TOP)
        this.#limits.set(command.budget, { limit, generation: Math.max(1, before.generation + command.version) })
        return
      }
      case 'step':
        return this.#step(command, command.ms)
      case 'pass':
        for (let left = command.seconds; left > 0; left -= 4) await this.#step(command, 4 * SECOND)
        return
      case 'wrong':
        return this.#wrong(command)
    }
  }

  async #reserve(command: Extract<Command, { kind: 'reserve' }>): Promise<void> {
    const alternatives: (readonly Line[])[] = []
    for (const specs of command.alternatives) alternatives.push(await this.#lines(specs))
    const move = this.#reserveMove(this.#mint(this.#nowMs), alternatives, command.holder, command.openMs)
    const outcome = await this.#everywhere(command, ledger => ledger.reserve(move))
    for (const line of alternatives.flat()) this.#touched.set(`${line.key} ${JSON.stringify(line.window)}`, line)
    if (outcome.kind === 'reserved') this.#reserved.push({ move, lines: alternatives[outcome.alternative] ?? [] })
    if (outcome.kind !== 'reserved') return
    for (const [index, line] of (alternatives[outcome.alternative] ?? []).entries()) {
      const left = outcome.balances[index]?.available ?? 0n
      if (line.hard && line.amount > 0n) expect(left, 'a hard line is never admitted below 0').toBeGreaterThanOrEqual(0n)
    }
  }

  async #bury(command: Extract<Command, { kind: 'bury' }>): Promise<void> {
    const id = this.#mint(this.#nowMs)
    const lines = await this.#lines([{ budget: 0, amount: { kind: 'exactly', amount: 100n }, hard: true }])
    const move = this.#reserveMove(id, [lines], 1, 10 * MINUTE)
    await this.#everywhere(command, ledger => ledger.release({ id, holder: move.holder, lines, how: 'test' }))
    if (command.reserve) await this.#everywhere(command, ledger => ledger.reserve(move))
    this.#reserved.push({ move, lines })
  }

  async #sweep(command: Command): Promise<void> {
    await this.#everywhere(command, async ledger => {
      const sum = { kind: 'swept', expired: 0, collected: 0 }
      for (;;) {
        const swept = await ledger.sweep()
        if (swept.kind !== 'swept') return swept
        sum.expired += swept.expired
        sum.collected += swept.collected
        if (!swept.more) return sum
      }
    })
  }

  /** A step of the clock ends with a beat: every store agrees from then on how long it was silent, and where its mark is. */
  async #step(command: Command, ms: number): Promise<void> {
    await this.#turn(ms)
    await this.#everywhere(command, ledger => ledger.beat(WITNESS))
  }

  async #turn(ms: number): Promise<void> {
    this.#nowMs += ms
    await this.#align()
  }

  async #align(): Promise<void> {
    for (const { made } of this.#stores) {
      const drift = this.#nowMs - (await made.nowMs())
      if (drift !== 0) await made.advance(drift)
    }
  }

  async #wrong(command: Extract<Command, { kind: 'wrong' }>): Promise<void> {
    const [line] = await this.#lines([{ budget: 0, amount: { kind: 'exactly', amount: 1n }, hard: true }])
    if (line === undefined) return
    const move = this.#reserveMove(this.#mint(this.#nowMs), [[line]], 1, MINUTE)
    const stale = { ...line, window: hourOf(this.#nowMs - 3 * HOUR) }
    switch (command.how) {
      case 'late':
        await this.#everywhere(command, ledger => ledger.reserve({ ...move, notAfterMs: this.#nowMs - MINUTE }))
        return
      case 'stale':
        await this.#everywhere(command, ledger => ledger.reserve({ ...move, alternatives: [[stale]] }))
        return
      case 'many':
        await this.#everywhere(command, ledger => ledger.reserve({ ...move, alternatives: [Array.from({ length: 65 }, () => line)] }))
        return
      case 'negative':
        await this.#everywhere(command, ledger => ledger.reserve({ ...move, alternatives: [[{ ...line, amount: -1n }]] }))
        return
      case 'skewed': {
        await this.#step(command, 0)
        await this.#turn(-3 * MINUTE)
        await this.#everywhere(command, ledger => ledger.reserve(move))
        await this.#everywhere(command, ledger => ledger.sweep())
        await this.#turn(3 * MINUTE)
        return
      }
    }
  }

  /** Asks every store the same, and holds each answer against the first's. */
  async #everywhere<T extends { readonly kind: string }>(command: Command, ask: (ledger: Ledger) => Promise<T>): Promise<T> {
    await this.#align()
    const answers: T[] = []
    for (const { made } of this.#stores) answers.push(await ask(made.ledger))
    const [first] = answers
    if (first === undefined) throw new Error('no store to ask')
    const outcome = `${command.kind}: ${first.kind}`
    this.#seen.set(outcome, (this.#seen.get(outcome) ?? 0) + 1)
    expect(first.kind, 'a store of the suite is there').not.toBe('unavailable')
    for (const [index, answer] of answers.entries())
      expect(timeless(answer), `${this.#stores[index]?.name} answers ${told(command)} as ${this.#stores[0]?.name} does`).toEqual(
        timeless(first),
      )
    return first
  }

  async #compareBalances(command: Command): Promise<void> {
    const lines = [...this.#touched.values()]
    const read = await this.#everywhere(command, ledger => ledger.read(lines))
    if (read.kind !== 'read') throw new Error(`a read answered ${read.kind}`)
    for (const balance of read.value) {
      const { limit, available, reserved, spent, suspense, overrun } = balance ?? EMPTY_BALANCE
      expect(available).toBe(limit - spent - reserved)
      expect(reserved >= 0n && suspense >= 0n && suspense <= spent && overrun >= 0n, 'figures hold together').toBe(true)
    }
  }

  async compareRecords(): Promise<void> {
    const seen = await Promise.all(this.#stores.map(({ made }) => allRecords(made.ledger)))
    for (const records of seen) expect(records).toEqual(seen[0])
    const open = (seen[0] ?? []).filter(record => record.state === 'open')
    const flight = BUDGETS.findIndex(budget => budget.window === 'inFlight')
    const [line] = await this.#lines([{ budget: flight, amount: { kind: 'exactly', amount: 0n }, hard: true }])
    const held = open.flatMap(record => record.lines.filter(each => each.key === line?.key)).reduce((sum, each) => sum + each.amount, 0n)
    expect(await this.#reservedOf(flight), 'open reservations are what is in flight').toBe(held)
  }

  async compareEntries(): Promise<void> {
    const seen = await Promise.all(this.#stores.map(({ made }) => allEntries(made.ledger)))
    for (const entries of seen) expect(entries).toEqual(seen[0])
  }

  async #lines(specs: readonly LineSpec[]): Promise<Line[]> {
    const lines: Line[] = []
    for (const { budget, amount, hard } of specs) {
      const { key, unit, window } = this.#at(budget)
      const { limit, generation } = this.#limit(budget)
      const version: LimitVersion = { createdMs: 1, generation, grantMs: 0 }
      const wanted = amount.kind === 'exactly' ? amount.amount : limit - (await this.#used(budget)) + amount.beside
      const within = clamp(wanted, AMOUNT_TOP)
      lines.push({ key, unit, window, amount: within, limit, version, hard, floor: within })
    }
    return lines
  }

  #at(index: number): { key: BudgetKey; unit: Unit; window: Window } {
    const budget = BUDGETS[index]
    if (budget === undefined) throw new Error(`no budget ${index}`)
    const { name, unit } = budget
    const window =
      budget.window === 'lifetime'
        ? LIFETIME
        : budget.window === 'inFlight'
          ? IN_FLIGHT
          : budget.window === 'hour'
            ? hourOf(this.#nowMs)
            : sliding(budget.window)
    const spec = window.kind === 'calendar' ? ({ kind: 'calendar', period: 'Hour', timeZone: 'UTC', anchorDay: 1 } as const) : window
    const key = budgetKey({ scope: 'BudgetPolicy', namespace: 'n', policy: 'p', limit: name, unit, window: spec, partition: ['é|'] })
    return { key, unit, window }
  }

  #limit(budget: number): { limit: bigint; generation: number } {
    return this.#limits.get(budget) ?? { limit: BUDGETS[budget]?.limit ?? 0n, generation: 1 }
  }

  async #used(budget: number): Promise<bigint> {
    const balance = await this.#model(budget)
    return balance.spent + balance.reserved
  }

  async #reservedOf(budget: number): Promise<bigint> {
    return (await this.#model(budget)).reserved
  }

  async #model(budget: number) {
    const read = await this.#stores[0]?.made.ledger.read([this.#at(budget)])
    return (read?.kind === 'read' ? read.value[0] : null) ?? EMPTY_BALANCE
  }

  #mint(atMs: number): ReservationId {
    this.#minted += 1
    return `${atMs.toString(16).padStart(12, '0')}${this.#minted.toString(16).padStart(20, '0')}` as ReservationId
  }

  /** One of the last reservations, the newest first. */
  #pick(which: number): { readonly move: ReserveMove; readonly lines: readonly Line[] } | undefined {
    return this.#reserved[this.#reserved.length - 1 - (which % Math.max(1, this.#reserved.length))]
  }

  #reserveMove(id: ReservationId, alternatives: readonly (readonly Line[])[], by: number, openMs: number): ReserveMove {
    const [deadlineMs, notAfterMs] = [this.#nowMs + openMs, this.#nowMs + 5 * MINUTE]
    return { id, holder: holder(by), alternatives, deadlineMs, notAfterMs, priceBook: 'b' }
  }
}

/** 0 to 8 quarters of what was reserved; 7 is the largest amount there is, 8 one more than reserved. */
function factor(amount: bigint, eighths: number): bigint {
  const wanted = eighths === 8 ? amount + 1n : eighths === 7 ? AMOUNT_TOP : (amount * BigInt(eighths)) / 4n
  return clamp(wanted, AMOUNT_TOP)
}

function clamp(value: bigint, most: bigint): bigint {
  if (value < 0n) return 0n
  return value < most ? value : most
}

/** An answer without its store time, which a store on a living clock cannot repeat, and without the words of a fault. */
function timeless(answer: object): unknown {
  const { storeMs, why, ...rest } = answer as { storeMs?: number; why?: string }
  expect(storeMs === undefined || Number.isSafeInteger(storeMs)).toBe(true)
  return rest
}

const told = (command: Command): string => JSON.stringify(command, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))

async function allRecords(ledger: Ledger): Promise<Omit<ReservationRecord, 'deadlineMs'>[]> {
  const all: ReservationRecord[] = []
  for (let cursor = ''; ; ) {
    const read = await ledger.reservations({ open: false, cursor, count: 200 })
    if (read.kind !== 'read') throw new Error(`reservations answered ${read.kind}`)
    all.push(...read.value.reservations)
    if (read.value.next === null) break
    cursor = read.value.next
  }
  return all.map(({ id, holder, state, lines }) => ({ id, holder, state, lines })).sort((a, b) => (a.id < b.id ? -1 : 1))
}

async function allEntries(ledger: Ledger): Promise<LedgerEntry[]> {
  const all: LedgerEntry[] = []
  for (;;) {
    const read = await ledger.entries({ afterSeq: all.at(-1)?.seq ?? 0, count: 1_000 })
    if (read.kind !== 'read') throw new Error(`entries answered ${read.kind}`)
    if (read.value.length === 0) return all
    all.push(...read.value)
  }
}
