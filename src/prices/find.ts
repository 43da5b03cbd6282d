// From a name to its price: spellings in order, aliases, the bundled entry, the operator's lists over it. Remembers nothing.
import type { Price } from '../core/price.ts'
import { type Offer, offerOf, VENDORS } from './catalogue.ts'
import { envelopeOf } from './envelope.ts'
import type { Alias, CompiledLists } from './lists.ts'
import { spellings } from './spelling.ts'

/** The price of a name at a provider; null: at whoever sells it, bounded by the dearest. */
export function findIn(
  lists: CompiledLists,
  sellers: readonly string[],
  provider: string | null,
  model: string,
  nowMs: number,
): Price | null {
  const forms = spellings(model, VENDORS)
  if (forms.length === 0) return null
  const aliases = lists.aliases(forms)
  if (provider !== null) {
    const here = aliases.find(alias => alias.provider === provider)
    const named = here === undefined ? null : priceOf(lists, provider, spellings(here.model, VENDORS), nowMs)
    return named ?? priceOf(lists, provider, forms, nowMs) ?? boundOf(aliasPrices(lists, aliases, nowMs))
  }
  const prices = sellers.flatMap(seller => priceOf(lists, seller, forms, nowMs) ?? []).filter(price => !isFree(price))
  return boundOf([...aliasPrices(lists, aliases, nowMs), ...prices])
}

/** The price of the first spelling that the provider's list knows, under the operator's lists. */
export function priceOf(lists: CompiledLists, provider: string, forms: readonly string[], nowMs: number): Price | null {
  return lists.over(offered(provider, forms, nowMs)?.price ?? null, provider, forms, nowMs)
}

/** The offer of the first spelling that the provider's bundled list has a price for. */
export function offered(provider: string, forms: readonly string[], nowMs: number): Offered | null {
  for (const spelling of forms) {
    const offer = offerOf(provider, spelling)
    const price = offer?.at(nowMs) ?? null
    if (offer !== null && price !== null) return { offer, price, spelling }
  }
  return null
}

export interface Offered {
  readonly offer: Offer
  readonly price: Price
  readonly spelling: string
}

const aliasPrices = (lists: CompiledLists, aliases: readonly Alias[], nowMs: number): readonly Price[] =>
  aliases.flatMap(alias => priceOf(lists, alias.provider, spellings(alias.model, VENDORS), nowMs) ?? [])

/** One price as it is; several as their envelope, under the names of the dearest by a million tokens in and out. */
function boundOf(prices: readonly Price[]): Price | null {
  const [first, ...others] = prices
  if (first === undefined || others.length === 0) return first ?? null
  const top = prices.reduce((most, price) => (weight(price) > weight(most) ? price : most))
  return envelopeOf(prices, top.provider, top.model)
}

/** Where the provider is not known, a model that one of them gives away is no proof that this one does. */
export const isFree = (price: Price): boolean => weight(price) === 0n && price.perToken !== false

function weight(price: Price): bigint {
  const rates = price.serviceTiers.get('default')?.[0]?.rates
  return rates === undefined ? 0n : rates.input + rates.output
}
