// What this process holds at the ledger, remembered so that it can be told again to a server that lost it. Asks nobody.
import type { Balance, Holder, Line, ReassertMove, ReleaseMove, ReservationId, ReserveMove, SettleMove } from '../core/reservation.ts'
import { BALANCES_SEEN_MAX, HANDED_OVER_HELD_MAX, HANDED_OVER_HELD_MS, HELD_CLOSED_MAX, HELD_CLOSED_MS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { type BalanceName, balanceName } from './keys.ts'

/** When something was written. */
interface Written {
  readonly seq: number
  readonly epoch: string
}

/** The latest recovery of a ledger: the epoch that it began, and the epoch and the last `seq` before it. */
export interface Recovery {
  readonly epoch: string
  readonly was: string
  readonly began: number
}

export type Closing = { readonly kind: 'settle'; readonly move: SettleMove } | { readonly kind: 'release'; readonly move: ReleaseMove }

/** All that a store may have lost, and is to be told again. */
export interface Lost {
  readonly open: readonly ReassertMove[]
  readonly closed: readonly Closing[]
}

export class Holdings {
  readonly #clock: Clock
  readonly #open = new Map<ReservationId, Written & { readonly move: ReassertMove }>()
  /** Open ones that others are to close, oldest first. */
  readonly #handedOver = new Map<ReservationId, number>()
  #closed: (Written & { readonly closing: Closing; readonly atMs: number })[] = []
  readonly #seen = new Map<BalanceName, { readonly seq: number; readonly used: bigint }>()
  #holder: Holder | null = null
  #seq = 0
  #epoch: string | null = null
  #ahead: Written | null = null
  #again = { epoch: '', moves: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Null until this process has moved anything. */
  get holder(): Holder | null {
    return this.#holder
  }

  /** The last `seq` seen. */
  get seq(): number {
    return this.#seq
  }

  /** The epoch of the server that it was seen on; null before the first. */
  get epoch(): string | null {
    return this.#epoch
  }

  /**
   * Told of every answer that says where the ledger stands. False where that is another epoch than ours: there was a recovery without
   * us, or one is on. What was last seen before it stays, until {@link told}.
   */
  saw(seq: number, epoch: string): boolean {
    this.#epoch ??= epoch
    if (epoch === this.#epoch) this.#seq = seq
    else this.#ahead = { seq, epoch }
    return epoch === this.#epoch
  }

  beats(holder: Holder): void {
    this.#holder = holder
  }

  opened(move: ReserveMove, alternative: number, balances: readonly Balance[]): void {
    const { id, holder, deadlineMs, priceBook } = move
    const lines = move.alternatives[alternative] ?? []
    this.#holder = holder
    this.#open.set(id, { move: { id, holder, lines, deadlineMs, priceBook }, ...this.#now() })
    if (move.handsOver === true) this.#handedOver.set(id, this.#clock.monotonicMs())
    this.#letGo()
    for (const [index, balance] of balances.entries()) this.#note(lines[index], balance)
  }

  closed(closing: Closing): void {
    this.#open.delete(closing.move.id)
    this.#handedOver.delete(closing.move.id)
    const atMs = this.#clock.monotonicMs()
    const kept = this.#closed
    kept.push({ closing, atMs, ...this.#now() })
    // Cut in strides: each is moved a few times at most.
    if (kept.length > 2 * HELD_CLOSED_MAX || (kept.length % 1_024 === 0 && this.#outlived(kept[0]?.atMs ?? atMs, atMs))) {
      this.#closed = kept.filter(each => !this.#outlived(each.atMs, atMs)).slice(-HELD_CLOSED_MAX)
    }
  }

  /** What a server that came to its epoch by `recovery` may lack: all but what it had before, as far as we were there. */
  lost({ epoch, was, began }: Recovery): Lost {
    this.#letGo()
    const nowMs = this.#clock.monotonicMs()
    const isThere = (written: Written): boolean => written.epoch === epoch || (written.epoch === was && written.seq <= began)
    return {
      open: [...this.#open.values()].filter(each => !isThere(each)).map(({ move }) => move),
      closed: this.#closed.filter(each => !isThere(each) && !this.#outlived(each.atMs, nowMs)).map(({ closing }) => closing),
    }
  }

  /** Counts the moves that a server lacked at this epoch: telling it may take several attempts. Answers how many they are by now. */
  toldAgain(epoch: string, moves: number): number {
    this.#again = { epoch, moves: (this.#again.epoch === epoch ? this.#again.moves : 0) + moves }
    return this.#again.moves
  }

  /** Everything has been told after this recovery. */
  told({ epoch, began }: Recovery): void {
    this.#epoch = epoch
    this.#seq = this.#ahead?.epoch === epoch ? this.#ahead.seq : began
    this.#ahead = null
    for (const [id, { move }] of this.#open) this.#open.set(id, { move, ...this.#now() })
    this.#closed = this.#closed.map(each => ({ ...each, ...this.#now() }))
    this.#seen.clear()
  }

  /** Balances that were last seen after `seq`, and what was reserved and spent of each then. */
  seenAfter(seq: number): readonly { readonly name: BalanceName; readonly used: bigint }[] {
    return [...this.#seen].flatMap(([name, seen]) => (seen.seq > seq ? [{ name, used: seen.used }] : []))
  }

  #now(): Written {
    return this.#ahead ?? { seq: this.#seq, epoch: this.#epoch ?? '0' }
  }

  #note(line: Line | undefined, { limit, available }: Balance): void {
    if (line === undefined) return
    const name = balanceName(line.key, line.window)
    this.#seen.delete(name)
    this.#seen.set(name, { seq: this.#seq, used: limit - available })
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > BALANCES_SEEN_MAX && oldest !== undefined) this.#seen.delete(oldest)
  }

  /** Of what was handed over, only the newest may be lost with a store. */
  #letGo(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [id, atMs] of this.#handedOver) {
      if (nowMs - atMs <= HANDED_OVER_HELD_MS && this.#handedOver.size <= HANDED_OVER_HELD_MAX) return
      this.#handedOver.delete(id)
      this.#open.delete(id)
    }
  }

  #outlived(atMs: number, nowMs: number): boolean {
    return nowMs - atMs > HELD_CLOSED_MS
  }
}
