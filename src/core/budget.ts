// A budget: a limit for a scope in a window, and the key that its balances are kept under.
import { assert } from './assert.ts'
import { formatDecimal } from './money.ts'
import { type WindowSpec, windowSpecText } from './window.ts'

export type Unit = 'USD' | 'Tokens' | 'InputTokens' | 'OutputTokens' | 'Requests'
export const UNITS: readonly Unit[] = ['USD', 'Tokens', 'InputTokens', 'OutputTokens', 'Requests']

/** The kind of object that declares a limit. */
export type BudgetScope = 'BudgetPolicy' | 'ClusterBudgetPolicy' | 'AccessKey'

/** Everything that tells one budget from another; by name, not UID, so that deleting and re-creating a policy keeps its spend. */
export interface BudgetIdentity {
  readonly scope: BudgetScope
  /** Empty for cluster-scoped objects. */
  readonly namespace: string
  readonly policy: string
  readonly limit: string
  readonly unit: Unit
  readonly window: WindowSpec
  /** One value a selector of `partitionBy`, in its order; empty for a limit that is not partitioned. */
  readonly partition: readonly string[]
}

export type BudgetKey = string & { readonly __brand: 'BudgetKey' }

/** The key of a budget: percent-encoded fields joined by `|`, readable, and reversible by {@link parseBudgetKey}. */
export function budgetKey(identity: BudgetIdentity): BudgetKey {
  const fields = [identity.scope, identity.namespace, identity.policy, identity.limit, identity.unit, windowSpecText(identity.window)]
  return [...fields, ...identity.partition].map(encodeField).join('|') as BudgetKey
}

/** The key of one partition of a limit, from the limit's own key: the same as {@link budgetKey} makes of them, without encoding the limit again. */
export const partitionKey = (limitKey: BudgetKey, partition: readonly string[]): BudgetKey =>
  [limitKey, ...partition.map(encodeField)].join('|') as BudgetKey

/** The key of the limit that a key is a partition of; a key without a partition is its own. */
export const limitKeyOf = (key: BudgetKey): BudgetKey => key.split('|').slice(0, LIMIT_FIELDS).join('|') as BudgetKey

/** A key's fields before the partition: scope, namespace, policy, limit, unit, window. */
const LIMIT_FIELDS = 6

/** The fields of a key as text (`window` in the form of `windowSpecText`). Null where it is not one of our keys. */
export function parseBudgetKey(
  key: string,
): { scope: string; namespace: string; policy: string; limit: string; unit: Unit; window: string; partition: string[] } | null {
  const fields = key.split('|').map(decodeField)
  const [scope, namespace, policy, limit, unit, window, ...partition] = fields
  if (scope == null || namespace == null || policy == null || limit == null || unit == null || window == null) return null
  if (!UNITS.includes(unit as Unit) || partition.some(value => value === null)) return null
  return { scope, namespace, policy, limit, unit: unit as Unit, window, partition: partition as string[] }
}

/** The unit of a key, without reading the rest of it; null where it is not one of our keys. */
export const unitOf = (key: BudgetKey): Unit | null => UNITS.find(unit => unit === key.split('|', 5)[4]) ?? null

/** Units per whole: money is kept in nano-USD, counts as they are. */
export const unitPlaces = (unit: Unit): number => (unit === 'USD' ? 9 : 0)

/** An amount of a unit as a plain decimal, for instance `0.01025` (USD) or `12000` (Tokens). */
export const formatAmount = (amount: bigint, unit: Unit): string => formatDecimal(amount, unitPlaces(unit))

/** Which state of a limit a line presents; compared field by field. For files: (0, mtime in ms, the same of grants). */
export interface LimitVersion {
  readonly createdMs: number
  readonly generation: number
  /** Thousandths of a ms: see `LimitGrants.version`. 0 where there never was a grant. */
  readonly grantMs: number
}

export function compareVersions(a: LimitVersion, b: LimitVersion): number {
  return a.createdMs - b.createdMs || a.generation - b.generation || a.grantMs - b.grantMs
}

function encodeField(field: string): string {
  const encoded = encodeURIComponent(field.toWellFormed())
  assert(!encoded.includes('|'), 'encodeURIComponent leaves no separator')
  return encoded.replaceAll('%3A', ':').replaceAll('%2F', '/')
}

function decodeField(field: string): string | null {
  try {
    return decodeURIComponent(field)
  } catch {
    return null
  }
}
