// A price book that also tells people where its prices come from: the way from a name to its price, and what is sold. Prices nothing itself.
import type { Price, PriceBook } from './price.ts'

/** One step of the way from a name to its price; later steps stand over earlier ones. */
export type PriceStep =
  /** An operator's list says what the name stands for at this provider. */
  | { readonly kind: 'alias'; readonly list: string; readonly name: string; readonly provider: string; readonly model: string }
  | {
      readonly kind: 'bundled'
      readonly provider: string
      /** The provider whose part of the list has the entry: another one where `provider` sells its models. */
      readonly listedBy: string
      readonly entry: string
      /** The spelling of the name that was found, which is not always the written one. */
      readonly spelling: string
      /** The list's clause that the spelling meets, for instance `starts_with gpt-4o`. */
      readonly clause: string
      /** From when this price holds, ms since the epoch; null where the list does not say. */
      readonly sinceMs: number | null
    }
  | {
      readonly kind: 'list'
      readonly provider: string
      readonly list: string
      /** The name or pattern of the entry that the spelling meets. */
      readonly entry: string
      readonly spelling: string
      readonly sinceMs: number | null
    }

export interface PriceCatalogue extends PriceBook {
  /** How `find` comes to its answer for the same arguments; empty exactly where that is null. */
  explain(provider: string | null, model: string, nowMs: number): readonly PriceStep[]
  /** Every provider, and how many of its models have a price, by name. */
  providers(nowMs: number): readonly { readonly provider: string; readonly models: number }[]
  /** The prices of all that a provider sells, lists' entries over bundled ones; null for a provider that the book does not have. */
  pricesOf(provider: string, nowMs: number): readonly Price[] | null
}
