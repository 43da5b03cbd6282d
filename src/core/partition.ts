// Partitions: which bucket of a partitioned limit a call counts in. Remembers the values seen, never more than a limit's maximum.
import { type BudgetKey, limitKeyOf, parseBudgetKey } from './budget.ts'
import { NO_VALUE, OTHER_VALUE, type Selector, type Subject, selectValues } from './subject.ts'
import { isWarningMark } from './warning.ts'

/** SHA-256 of a text's UTF-8, as 64 hex digits. */
export type Sha256 = (text: string) => string

/**
 * One value a selector. Without a value: `(none)`. Of several values of a claim the smallest, so that the order in which a token
 * lists them never matters. A value longer than `bytesMax` in UTF-8, or one that is spelt like a bucket of ours, becomes `sha256:…`.
 */
export function partitionOf(subject: Subject, selectors: readonly Selector[], bytesMax: number, sha256: Sha256): readonly string[] {
  return selectors.map(selector => {
    const [value] = selectValues(subject, selector).toSorted()
    if (value === undefined) return NO_VALUE
    return isLong(value, bytesMax) || value === NO_VALUE || value === OTHER_VALUE ? `sha256:${sha256(value)}` : value
  })
}

/**
 * The partitions seen of every limit. Lives longer than any one policy set, so that a reload neither forgets nor doubles them.
 * A limit is named by its key without a partition.
 */
export class PartitionRegistry {
  readonly #seen = new Map<string, Set<string>>()

  /** Whether `key`, a partition of `limitKey`, has a bucket of its own: it was seen before, or there is room (then it is seen now). */
  admit(limitKey: BudgetKey, key: BudgetKey, maxPartitions: number): boolean {
    const seen = this.#seenOf(limitKey)
    if (seen.has(key)) return true
    if (seen.size >= maxPartitions) return false
    seen.add(key)
    return true
  }

  /** Takes in a partition that the ledger knows already, at start. Keys without a partition, and those of `(other)`, are ignored. */
  seen(key: BudgetKey): void {
    const fields = parseBudgetKey(key)
    if (fields === null || isWarningMark(key) || fields.partition.length === 0 || fields.partition[0] === OTHER_VALUE) return
    this.#seenOf(limitKeyOf(key)).add(key)
  }

  /** Forgets all limits but these, after a reload. */
  retain(limitKeys: Iterable<BudgetKey>): void {
    const kept = new Set<string>(limitKeys)
    for (const limitKey of this.#seen.keys()) if (!kept.has(limitKey)) this.#seen.delete(limitKey)
  }

  /** Forgets one limit, whose object is gone. */
  forget(limitKey: BudgetKey): void {
    this.#seen.delete(limitKey)
  }

  /** How many partitions of a limit are known. */
  count(limitKey: BudgetKey): number {
    return this.#seen.get(limitKey)?.size ?? 0
  }

  #seenOf(limitKey: string): Set<string> {
    const known = this.#seen.get(limitKey)
    if (known !== undefined) return known
    const fresh = new Set<string>()
    this.#seen.set(limitKey, fresh)
    return fresh
  }
}

function isLong(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return false
  let bytes = 0
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    if (bytes > bytesMax) return true
  }
  return false
}
