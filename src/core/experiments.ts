// Experiments: keys that a team makes for itself, with a sum and an end, within what a ClusterBudgetPolicy allows. Pure; is told the time.
import { formatUsd } from './money.ts'
import type { AccessKey, Limit } from './policy.ts'

/** What every experiment of a namespace must stay within; null for no such bound. */
export interface ExperimentBounds {
  /** Nano-USD over an experiment's whole life. */
  readonly maxAmount: bigint | null
  /** From its creation to its end. */
  readonly maxDurationMs: number | null
  /** Of one namespace at a time, the oldest first. */
  readonly maxOpen: number | null
}

export interface Experiment {
  readonly key: AccessKey
  readonly limits: readonly Limit[]
}

/** Why an experiment is beyond `bounds`, in the second half of a sentence; null where it is not. `others`: of its namespace, itself or not. */
export function experimentFault(one: Experiment, others: readonly Experiment[], bounds: ExperimentBounds, nowMs: number): string | null {
  const alone = faultAlone(one, bounds)
  if (alone !== null || bounds.maxOpen === null) return alone
  const before = others.filter(other => isOlder(other.key, one.key) && isOpen(other.key, nowMs) && faultAlone(other, bounds) === null)
  return before.length < bounds.maxOpen ? null : `only ${bounds.maxOpen} of a namespace may be open at a time, and older ones are`
}

function faultAlone({ key, limits }: Experiment, { maxAmount, maxDurationMs }: ExperimentBounds): string | null {
  const amount = lifetimeUsd(limits)
  if (maxAmount !== null && (amount === null || amount > maxAmount))
    return `it may spend ${amount === null ? 'without end' : `$${formatUsd(amount)}`}, and $${formatUsd(maxAmount)} is the most`
  const ends = key.expiresAtMs
  if (maxDurationMs !== null && (ends === null || ends - key.createdMs > maxDurationMs))
    return `it lasts longer than ${maxDurationMs / 3_600_000} hours from its creation`
  return null
}

/** The most that a key may ever spend by its own limits. */
function lifetimeUsd(limits: readonly Limit[]): bigint | null {
  const sums = limits.filter(({ unit, window, partitionBy }) => unit === 'USD' && window.kind === 'lifetime' && partitionBy.length === 0)
  return sums.reduce<bigint | null>((least, { amount }) => (least === null || amount < least ? amount : least), null)
}

const isOpen = ({ disabled, expiresAtMs }: AccessKey, nowMs: number): boolean => !disabled && (expiresAtMs === null || nowMs < expiresAtMs)

const isOlder = (a: AccessKey, b: AccessKey): boolean => a.createdMs < b.createdMs || (a.createdMs === b.createdMs && a.name < b.name)
