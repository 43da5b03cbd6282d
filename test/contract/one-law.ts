// One law, many stores: a random list of commands runs on all of them, and after every command outcomes and balances are equal.
import fc from 'fast-check'
import { expect } from 'vitest'
import { type BudgetKey, budgetKey, type LimitVersion, type Unit } from '../../src/core/budget.ts'
import {
  type Balance,
  EMPTY_BALANCE,
  type Line,
  type ReassertMove,
  type ReassertOutcome,
  type ReservationId,
  type ReserveMove,
  type SettleMove,
} from '../../src/core/reservation.ts'
import { entriesKept, FIRST_META } from '../../src/core/shelf.ts'
import { type Window, windowText } from '../../src/core/window.ts'
import type { Ledger, LedgerEntry, ReservationRecord } from '../../src/ports.ts'
import { BUDGETS, type Command, command, type LineSpec, type ProgressSpec, type Telling } from './commands.ts'
import type { MakeStore, Store } from './model.ts'
import { AMOUNT_TOP, HOUR, holder, hourOf, IN_FLIGHT, LIFETIME, LIMIT_TOP, MINUTE, SECOND, sliding } from './moves.ts'
import { WITNESS } from './scene.ts'

/** Where every run begins: a fixed instant, in the middle of a second. */
const START_MS = Date.UTC(2026, 4, 14, 10, 15, 0, 500)

/**
 * Runs random command lists on fresh ledgers of all makers, the first being the model, and holds each answer of the others against it,
 * every entry of their streams too. Rejects with the shrunk list and the seed where they differ. `streamMax`: bounds of the stream to
 * try. `reached`: outcomes by command, and kinds of entries, that the lists must have come to.
 */
export async function oneLaw(
  makers: Readonly<Record<string, MakeStore>>,
  options: {
    readonly runs: number
    readonly commands: number
    readonly streamMax?: readonly number[]
    readonly reached?: readonly string[]
    readonly seed?: number
  },
): Promise<void> {
  const seen = new Map<string, number>()
  const bounds = fc.constantFrom(...(options.streamMax ?? [100_000, 5]))
  const lists = fc.array(command, { minLength: 1, maxLength: options.commands, size: 'max' })
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31)
  await fc.assert(
    fc.asyncProperty(lists, bounds, async (list, streamMax) => runOnAll(makers, list, streamMax, seen)),
    { seed, numRuns: options.runs, endOnFailure: false, interruptAfterTimeLimit: 600_000, markInterruptAsFailure: false },
  )
  for (const outcome of options.reached ?? []) expect(seen.get(outcome) ?? 0, `${outcome}, with the seed ${seed}`).toBeGreaterThan(0)
}

/** Runs one list on all makers: how a counterexample is replayed. */
export async function runOnAll(
  makers: Readonly<Record<string, MakeStore>>,
  list: readonly Command[],
  streamMax: number,
  seen: Map<string, number> = new Map(),
): Promise<void> {
  const stores: Named[] = []
  try {
    for (const [name, make] of Object.entries(makers)) stores.push(await openStore(name, make, streamMax))
    const play = new Play(stores, streamMax, seen)
    for (const each of list) await play.run(each)
    await play.compareAll()
  } finally {
    await Promise.all(stores.map(store => store.made.close()))
  }
}

interface Named {
  readonly name: string
  readonly made: Store
}

async function openStore(name: string, make: MakeStore, streamMax: number): Promise<Named> {
  const made = await make({ streamMax })
  await made.advance(START_MS - (await made.nowMs()))
  await made.ledger.beat(WITNESS) // some have a mark from being opened
  return { name, made }
}

class Play {
  readonly #stores: readonly Named[]
  readonly #stream: StreamCheck
  /** What every store's clock shows. */
  #nowMs = START_MS
  #minted = 0
  readonly #reserved: { readonly move: ReserveMove; lines: readonly Line[] }[] = []
  readonly #limits = new Map<number, { limit: bigint; generation: number }>()
  readonly #touched = new Map<string, { readonly key: BudgetKey; readonly window: Window }>()

  readonly #seen: Map<string, number>

  constructor(stores: readonly Named[], streamMax: number, seen: Map<string, number>) {
    this.#stores = stores
    this.#stream = new StreamCheck(stores, streamMax, seen)
    this.#seen = seen
  }

  async run(command: Command): Promise<void> {
    await this.#perform(command)
    await this.#compareBalances(command)
    await this.#stream.compareNew()
  }

  /** What is compared once, when a list is over. */
  async compareAll(): Promise<void> {
    await this.#compareRecords()
    await this.#compareLists()
    await this.#stream.compareAll()
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
        const told = tellingOf(command)
        await this.#everywhere(command, ledger => ledger.settle({ id, holder, lines: known.lines, amounts, ...told }))
        return
      }
      case 'release': {
        const known = this.#pick(command.which)
        if (known === undefined) return
        const { id, holder } = known.move
        await this.#everywhere(command, ledger => ledger.release({ id, holder, lines: known.lines, how: 'test' }))
        return
      }
      case 'unseen':
        return this.#unseen(command)
      case 'bury':
        return this.#bury(command)
      case 'beat':
        await this.#everywhere(command, ledger => ledger.beat(holder(command.holder)))
        return
      case 'observe':
        return this.#observe(command)
      case 'adjust':
        return this.#adjust(command)
      case 'reassert':
        return this.#reassert(command)
      case 'find':
        await this.#everywhere(command, ledger => ledger.findByResponse(hashOf(command.response)))
        return
      case 'acknowledge': {
        const seq = Math.max(0, this.#stream.seq - command.behind)
        const { kind } = await this.#everywhere(command, ledger => ledger.acknowledge(seq))
        if (kind === 'acknowledged') this.#stream.acknowledged(seq)
        return
      }
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
        return command.beat ? this.#step(command, command.ms) : this.#turn(command.ms)
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
    if (outcome.kind !== 'reserved') return
    this.#know(move, alternatives[outcome.alternative] ?? [])
    for (const [index, line] of (alternatives[outcome.alternative] ?? []).entries()) {
      const left = outcome.balances[index]?.available ?? 0n
      if (line.hard && line.amount > 0n) expect(left, 'a hard line is never admitted below 0').toBeGreaterThanOrEqual(0n)
    }
  }

  async #bury(command: Extract<Command, { kind: 'bury' }>): Promise<void> {
    const id = this.#mint(this.#nowMs)
    const lines = await this.#lines([{ budget: 0, amount: { kind: 'exactly', amount: 100n }, hard: true, floor: 4 }])
    const move = this.#reserveMove(id, [lines], 1, 10 * MINUTE)
    await this.#everywhere(command, ledger => ledger.release({ id, holder: move.holder, lines, how: 'test' }))
    if (command.reserve) await this.#everywhere(command, ledger => ledger.reserve(move))
    this.#know(move, lines)
  }

  async #unseen(command: Extract<Command, { kind: 'unseen' }>): Promise<void> {
    const lines = await this.#lines(command.lines)
    const id = this.#mint(Math.max(0, this.#nowMs - command.ageMs))
    const amounts = lines.map(line => line.amount)
    const told = tellingOf(command)
    for (let times = 0; times < command.times; times += 1)
      await this.#everywhere(command, ledger => ledger.settle({ id, holder: holder(1), lines, amounts, ...told }))
    this.#know(this.#reserveMove(id, [lines], 1, 10 * MINUTE), lines)
  }

  async #observe(command: Extract<Command, { kind: 'observe' }>): Promise<void> {
    const picked = command.progress.flatMap(spec => {
      const known = this.#pick(spec.which)
      return known === undefined ? [] : [{ id: known.move.id, amounts: observedAmounts(known.lines, spec), by: known.move.holder }]
    })
    const by = command.holder === 3 ? (picked[0]?.by ?? holder(0)) : holder(command.holder)
    const once = picked.map(({ id, amounts }) => ({ id, amounts }))
    const progress = Array.from({ length: command.times }, () => once).flat()
    await this.#everywhere(command, ledger => ledger.observe({ holder: by, progress }))
  }

  async #adjust(command: Extract<Command, { kind: 'adjust' }>): Promise<void> {
    const known = command.which === 12 ? undefined : this.#pick(command.which)
    const id = known?.move.id ?? this.#mint(this.#nowMs)
    const actual = factor(known?.lines.find(line => line.unit === 'USD')?.amount ?? 1n, command.actual)
    const adjustId = `ad${command.adjustId}`.padEnd(32, '0')
    for (let times = 0; times < command.times; times += 1)
      await this.#everywhere(command, ledger => ledger.adjust({ adjustId, id, actual, reason: 'wörd and word' }))
  }

  /** Of stores that know it; where one does not, all are left as they are. */
  async #reassert(command: Extract<Command, { kind: 'reassert' }>): Promise<void> {
    if (this.#stores.some(({ made }) => made.reassert === undefined)) return
    const known = command.which === null ? undefined : this.#pick(command.which)
    const moves: ReassertMove[] = []
    const deadlineMs = this.#nowMs + command.openMs
    for (const specs of command.lines) {
      const lines = known?.lines ?? (await this.#lines(specs))
      const id = known?.move.id ?? this.#mint(Math.max(0, this.#nowMs - command.ageMs))
      moves.push({ id, holder: holder(2), lines, deadlineMs, priceBook: 'a book' })
    }
    await this.#align()
    const answers: (readonly ReassertOutcome[])[] = []
    for (const { made } of this.#stores) answers.push((await made.reassert?.(moves)) ?? [])
    for (const [index, outcomes] of answers.entries())
      expect(outcomes.map(timeless), `${this.#stores[index]?.name} re-asserts ${told(command)}`).toEqual(answers[0]?.map(timeless))
    for (const outcome of answers[0] ?? []) this.#note(`reassert: ${outcome.kind}`)
    if (known === undefined) for (const { id, lines } of moves) this.#know(this.#reserveMove(id, [lines], 2, command.openMs), lines)
  }

  async #sweep(command: Command): Promise<void> {
    const unexported: number[] = []
    await this.#everywhere(command, async ledger => {
      const sum = { kind: 'swept', expired: 0, collected: 0, contested: 0 }
      for (;;) {
        const swept = await ledger.sweep()
        if (swept.kind !== 'swept') return swept
        sum.expired += swept.expired
        sum.collected += swept.collected
        sum.contested = swept.contested
        if (swept.more) continue
        unexported.push(swept.unexported)
        return sum
      }
    })
    await this.#stream.compareUnexported(unexported)
  }

  /** A step of the clock with a beat at its end, so that the marks are there. */
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
    const [line] = await this.#lines([{ budget: 0, amount: { kind: 'exactly', amount: 1n }, hard: true, floor: 4 }])
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
      case 'floor':
        await this.#everywhere(command, ledger => ledger.reserve({ ...move, alternatives: [[{ ...line, floor: 2n }]] }))
        return
      case 'response': {
        const settle = { id: move.id, holder: move.holder, lines: [line], amounts: [1n], proven: true, how: 'test', response: 'X' }
        await this.#everywhere(command, ledger => ledger.settle(settle))
        return
      }
      case 'observed':
        await this.#everywhere(command, ledger =>
          ledger.observe({ holder: move.holder, progress: [{ id: move.id, amounts: [AMOUNT_TOP + 1n] }] }),
        )
        return
      case 'reason': {
        const adjust = { adjustId: 'e'.repeat(32), id: move.id, actual: 1n, reason: 'two\nlines' }
        await this.#everywhere(command, ledger => ledger.adjust(adjust))
        return
      }
      case 'skewed': {
        await this.#step(command, 0)
        await this.#turn(-3 * MINUTE)
        await this.#everywhere(command, ledger => ledger.reserve(move))
        await this.#everywhere(command, ledger => ledger.sweep())
        await this.#everywhere(command, ledger => ledger.observe({ holder: move.holder, progress: [] }))
        await this.#everywhere(command, ledger => ledger.adjust({ adjustId: 'e'.repeat(32), id: move.id, actual: 1n, reason: 'none' }))
        await this.#everywhere(command, ledger => ledger.acknowledge(1_000))
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
    const isFound = command.kind === 'find' && (first as { readonly value?: unknown }).value !== null
    this.#note(`${command.kind}: ${isFound ? 'found' : first.kind}`)
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

  async #compareRecords(): Promise<void> {
    const seen = await Promise.all(this.#stores.map(({ made }) => allRecords(made.ledger)))
    for (const records of seen) expect(records).toEqual(seen[0])
    const open = (seen[0] ?? []).filter(record => record.state === 'open')
    const flight = BUDGETS.findIndex(budget => budget.window === 'inFlight')
    const [line] = await this.#lines([{ budget: flight, amount: { kind: 'exactly', amount: 0n }, hard: true, floor: 4 }])
    const held = open.flatMap(record => record.lines.filter(each => each.key === line?.key)).reduce((sum, each) => sum + each.amount, 0n)
    expect(await this.#reservedOf(flight), 'open reservations are what is in flight').toBe(held)
  }

  async #compareLists(): Promise<void> {
    for (const count of [2, 1_000])
      for (let cursor = '', pages = 0; pages < 4; pages += 1) {
        const page = await this.#everywhere({ kind: 'sweep' }, ledger => ledger.list({ prefix: 'B', cursor, count }))
        if (page.kind !== 'read') throw new Error(`a list answered ${page.kind}`)
        if (page.value.next === null) break
        cursor = page.value.next
      }
  }

  async #lines(specs: readonly LineSpec[]): Promise<Line[]> {
    const lines: Line[] = []
    for (const { budget, amount, hard, floor } of specs) {
      const { key, unit, window } = this.#at(budget)
      const { limit, generation } = this.#limit(budget)
      const version: LimitVersion = { createdMs: 1, generation, grantMs: 0 }
      const wanted = amount.kind === 'exactly' ? amount.amount : limit - (await this.#used(budget)) + amount.beside
      const within = clamp(wanted, AMOUNT_TOP)
      lines.push({ key, unit, window, amount: within, limit, version, hard, floor: (within * BigInt(floor)) / 4n })
      this.#touched.set(`${key} ${windowText(window)}`, { key, window })
    }
    return lines
  }

  #know(move: ReserveMove, lines: readonly Line[]): void {
    this.#reserved.push({ move, lines })
  }

  #note(outcome: string): void {
    this.#seen.set(outcome, (this.#seen.get(outcome) ?? 0) + 1)
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

/** Holds the streams of all stores against each other, as far as no store may have cut them. */
class StreamCheck {
  readonly #stores: readonly Named[]
  readonly #bound: number
  readonly #seen: Map<string, number>
  /** Every entry that could be read after the command that wrote it. */
  readonly #told = new Map<number, LedgerEntry>()
  /** Figures by balance as the last entry told them; sliding ones move by themselves. */
  readonly #figures = new Map<string, Balance>()
  #exportedSeq: number | null = null
  /** Entries up to this may be gone. */
  #cut = 0
  seq = 0

  constructor(stores: readonly Named[], bound: number, seen: Map<string, number>) {
    this.#stores = stores
    this.#bound = bound
    this.#seen = seen
  }

  acknowledged(seq: number): void {
    this.#exportedSeq = Math.max(this.#exportedSeq ?? 0, Math.min(seq, this.seq))
  }

  async compareNew(): Promise<void> {
    const before = this.seq
    const [first] = this.#stores
    if (first === undefined) return
    this.seq = await lastSeq(first.made.ledger)
    if (this.seq > before)
      this.#cut = Math.max(this.#cut, this.seq - entriesKept({ ...FIRST_META, seq: this.seq, exportedSeq: this.#exportedSeq }, this.#bound))
    const from = Math.max(before, this.#cut)
    const expected = await entriesAfter(first.made.ledger, from)
    expect(expected.map(entry => entry.seq)).toEqual(Array.from({ length: this.seq - from }, (_, index) => from + 1 + index))
    for (const { name, made } of this.#stores.slice(1))
      expect(await entriesAfter(made.ledger, from), `${name} tells the same entries`).toEqual(expected)
    for (const entry of expected) this.#follow(entry)
  }

  /** What an entry says was moved is what moved. */
  #follow(entry: LedgerEntry): void {
    this.#told.set(entry.seq, entry)
    this.#seen.set(`entry: ${entry.what}`, (this.#seen.get(`entry: ${entry.what}`) ?? 0) + 1)
    for (const { key, window, moved, balance } of entry.lines) {
      const id = `${key} ${windowText(window)}`
      const { reserved, spent, suspense, overrun } = this.#figures.get(id) ?? EMPTY_BALANCE
      const [after, by] = [balance, moved]
      const follows = {
        reserved: reserved + by.reserved,
        spent: spent + by.spent,
        suspense: suspense + by.suspense,
        overrun: overrun + by.overrun,
      }
      const isWhole = this.#told.size === entry.seq && window.kind !== 'sliding'
      if (isWhole) expect(after, `entry ${entry.seq} follows from the one before`).toMatchObject(follows)
      if (entry.what === 'collected') this.#figures.delete(id)
      else this.#figures.set(id, balance)
    }
  }

  /** Each store counts what it cut itself. */
  async compareUnexported(counts: readonly number[]): Promise<void> {
    for (const [index, count] of counts.entries()) {
      const store = this.#stores[index]
      if (store === undefined) continue
      const all = await entriesAfter(store.made.ledger, 0)
      const firstSeq = all[0]?.seq ?? (await lastSeq(store.made.ledger)) + 1
      const expected = this.#exportedSeq === null ? 0 : Math.max(0, firstSeq - 1 - this.#exportedSeq)
      expect(count, `${store.name} counts what was cut unread`).toBe(expected)
      if (count > 0) this.#seen.set('sweep: unexported', (this.#seen.get('sweep: unexported') ?? 0) + 1)
    }
  }

  /** Nothing that must be kept is gone, and what is kept longer is what it was. */
  async compareAll(): Promise<void> {
    for (const { name, made } of this.#stores) {
      const all = await entriesAfter(made.ledger, 0)
      const firstSeq = all[0]?.seq ?? this.seq + 1
      expect(firstSeq, `${name} keeps what must be kept`).toBeLessThanOrEqual(this.#cut + 1)
      expect(all.map(entry => entry.seq)).toEqual(Array.from({ length: this.seq + 1 - firstSeq }, (_, index) => firstSeq + index))
      for (const entry of all) if (this.#told.has(entry.seq)) expect(entry).toEqual(this.#told.get(entry.seq))
    }
  }
}

async function lastSeq(ledger: Ledger): Promise<number> {
  const read = await ledger.read([])
  if (read.kind !== 'read') throw new Error(`a read answered ${read.kind}`)
  return read.seq
}

async function entriesAfter(ledger: Ledger, afterSeq: number): Promise<LedgerEntry[]> {
  const all: LedgerEntry[] = []
  for (;;) {
    const read = await ledger.entries({ afterSeq: all.at(-1)?.seq ?? afterSeq, count: 1_000 })
    if (read.kind !== 'read') throw new Error(`entries answered ${read.kind}`)
    if (read.value.length === 0) return all
    all.push(...read.value)
  }
}

const hashOf = (response: number): string => `${response}`.repeat(64)

const tellingOf = ({ proven, arrears, response }: Telling): Pick<SettleMove, 'proven' | 'arrears' | 'response' | 'how'> => ({
  proven,
  how: 'test',
  ...(arrears ? { arrears } : {}),
  ...(response === null ? {} : { response: hashOf(response) }),
})

function observedAmounts(lines: readonly Line[], { amounts, tooMany }: ProgressSpec): bigint[] {
  const observed = lines.map((line, index) => {
    const spec = amounts[index % amounts.length] ?? 0
    return spec < 10 ? clamp(line.floor + BigInt(spec), AMOUNT_TOP) : factor(line.amount, spec - 10)
  })
  return tooMany ? [...observed, 0n] : observed
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
