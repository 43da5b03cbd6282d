// Fair shares: how much of a limit that all its partitions share one of them may hold, so that none can starve the others. What the quiet
// ones leave is divided equally among the active ones. Never decides admission: the shared budget itself does, so that no share can take a
// budget over its amount, however stale what is known here may be. Outlives every policy set; is told the time.
import type { BudgetKey } from './budget.ts'
import type { LimitAt } from './grants.ts'
import type { Balance } from './reservation.ts'

/** A partition is active while it has a call open, and for so long after a charge (of a call, its admission). */
export const ACTIVE_MS = 300_000
/** How often a call looks whether others have become quiet. */
const QUIETEN_MS = 1_000

interface Part {
  /** Spent and reserved in the current window, as last seen. */
  used: bigint
  spent: bigint
  isActive: boolean
  activeMs: number
  askedMs: number
  /** The share that was given last, null where the ledger has another one, and its version: see {@link newer}. */
  share: bigint | null
  version: number
}

/** One shared limit in its current window. */
interface Division {
  window: string
  readonly parts: Map<BudgetKey, Part>
  amount: bigint
  /** Of `parts`: how many are active, and what those that are not use. */
  active: number
  idle: bigint
  /** Whether the ledger was looked at since the limit was first asked for. */
  isKnown: boolean
  askedMs: number
  quietenedMs: number
}

/** A partition of a shared limit. */
export interface SharedBy {
  readonly limitKey: BudgetKey
  readonly key: BudgetKey
}

export interface SeenPartition {
  readonly key: BudgetKey
  readonly window: string
  readonly balance: Balance
}

export class ShareBook {
  readonly #divisions = new Map<BudgetKey, Division>()

  /**
   * What a partition may hold now of a limit that as a whole is `whole`: its own part, as though it were active. The versions are those of
   * the whole, and the last share that anybody works out holds. Asking alone makes no partition active.
   */
  shareAt({ limitKey, key }: SharedBy, window: string, whole: LimitAt, nowMs: number): LimitAt {
    const division = this.#division(limitKey, window)
    division.amount = whole.amount
    division.askedMs = nowMs
    if (nowMs - division.quietenedMs >= QUIETEN_MS) quieten(division, nowMs)
    const part = partOf(division, key)
    part.askedMs = nowMs
    const amount = part.isActive ? divided(division, 0n, 0) : divided(division, part.used, 1)
    if (amount !== part.share) {
      part.share = amount
      part.version = newer(part, division, nowMs)
    }
    return { amount, version: { ...whole.version, grantMs: part.version } }
  }

  /** A call of the partition was admitted: it is active from now on. */
  admitted({ limitKey, key }: SharedBy, nowMs: number): void {
    const division = this.#divisions.get(limitKey)
    if (division === undefined) return
    const part = partOf(division, key)
    part.activeMs = nowMs
    if (part.isActive) return
    part.isActive = true
    division.active += 1
    division.idle -= part.used
  }

  /** The limits whose partitions are to be looked at: those asked for lately. Others are forgotten. */
  asked(nowMs: number): readonly BudgetKey[] {
    for (const [key, { askedMs }] of this.#divisions) if (nowMs - askedMs >= ACTIVE_MS) this.#divisions.delete(key)
    return [...this.#divisions.keys()]
  }

  /** What the ledger has of all partitions of a limit. Those that it does not know, and that are quiet, are forgotten. */
  saw(limitKey: BudgetKey, rows: readonly SeenPartition[], nowMs: number): void {
    const division = this.#divisions.get(limitKey)
    if (division === undefined) return
    const seen = new Set<BudgetKey>()
    for (const { key, window, balance } of rows) {
      if (window !== division.window) continue
      seen.add(key)
      const part = partOf(division, key)
      // The first look cannot tell what was spent lately: better all are taken for active than one for quiet.
      if (balance.reserved > 0n || balance.spent > (division.isKnown ? part.spent : 0n)) part.activeMs = nowMs
      part.spent = balance.spent
      part.used = balance.spent + balance.reserved
      if (balance.limit !== part.share) part.share = null
    }
    for (const [key, part] of division.parts) {
      if (seen.has(key)) continue
      part.used = part.spent = 0n
      if (nowMs - Math.max(part.activeMs, part.askedMs) >= ACTIVE_MS) division.parts.delete(key)
    }
    quieten(division, nowMs)
    division.isKnown = true
  }

  #division(limitKey: BudgetKey, window: string): Division {
    const known = this.#divisions.get(limitKey)
    if (known === undefined) {
      const none = { amount: 0n, active: 0, idle: 0n, isKnown: false, askedMs: 0, quietenedMs: Number.NEGATIVE_INFINITY }
      const fresh: Division = { window, parts: new Map(), ...none }
      this.#divisions.set(limitKey, fresh)
      return fresh
    }
    if (known.window !== window) {
      // A new window begins with nothing used, and with those who are about.
      for (const part of known.parts.values()) part.used = part.spent = 0n
      known.window = window
      known.idle = 0n
    }
    return known
  }
}

function partOf(division: Division, key: BudgetKey): Part {
  const known = division.parts.get(key)
  if (known !== undefined) return known
  const never = Number.NEGATIVE_INFINITY
  const fresh: Part = { used: 0n, spent: 0n, isActive: false, activeMs: never, askedMs: never, share: null, version: 0 }
  division.parts.set(key, fresh)
  return fresh
}

/** What the quiet ones leave, divided among the active ones; `joined` more with what they use. */
function divided({ amount, idle, active }: Division, joinedUsed: bigint, joined: number): bigint {
  const left = amount - idle + joinedUsed
  return left <= 0n ? 0n : left / BigInt(Math.max(1, active + joined))
}

function quieten(division: Division, nowMs: number): void {
  division.quietenedMs = nowMs
  division.active = 0
  division.idle = 0n
  for (const part of division.parts.values()) {
    part.isActive = nowMs - part.activeMs < ACTIVE_MS
    if (part.isActive) division.active += 1
    else division.idle += part.used
  }
}

/**
 * When the share was worked out, in thousandths of a ms, as the instants of grants are; never the same twice. In plain ms while the ledger
 * was not looked at: then whoever has looked knows better.
 */
const newer = ({ version }: Part, { isKnown }: Division, nowMs: number): number => Math.max(isKnown ? nowMs * 1_000 : nowMs, version + 1)
