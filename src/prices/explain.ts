// Why a name has the price that it has, and what each provider sells, for people. Walks the same way as `find.ts`; decides nothing.
import type { Price } from '../core/price.ts'
import type { PriceStep } from '../core/price-catalogue.ts'
import { offersOf, VENDORS } from './catalogue.ts'
import { clauseMet } from './clause.ts'
import { findIn, isFree, offered, priceOf } from './find.ts'
import type { Alias, CompiledLists } from './lists.ts'
import { holds } from './span.ts'
import { spellings } from './spelling.ts'

/** The steps that `findIn` takes for the same arguments; empty where it finds nothing. */
export function explainFound(
  lists: CompiledLists,
  sellers: readonly string[],
  provider: string | null,
  model: string,
  nowMs: number,
): readonly PriceStep[] {
  if (findIn(lists, sellers, provider, model, nowMs) === null) return []
  const forms = spellings(model, VENDORS)
  const aliases = lists.aliases(forms)
  const elsewhere = (): readonly PriceStep[] => aliases.flatMap(alias => aliasSteps(lists, alias, nowMs))
  if (provider !== null) {
    const here = aliases.find(alias => alias.provider === provider)
    const named = here === undefined ? [] : aliasSteps(lists, here, nowMs)
    if (named.length > 0) return named
    const steps = stepsAt(lists, provider, forms, nowMs)
    return steps.length > 0 ? steps : elsewhere()
  }
  const sold = sellers.filter(seller => {
    const price = priceOf(lists, seller, forms, nowMs)
    return price !== null && !isFree(price)
  })
  return [...elsewhere(), ...sold.flatMap(seller => stepsAt(lists, seller, forms, nowMs))]
}

/** The prices of all that a provider sells, each once: bundled entries under the lists, then what only a list has. */
export function sellable(lists: CompiledLists, provider: string, nowMs: number): readonly Price[] {
  const found = new Map<string, Price>()
  for (const { listed, at } of offersOf(provider)) {
    const price = lists.over(at(nowMs), provider, spellings(listed.id, VENDORS), nowMs)
    if (price !== null && !found.has(listed.id)) found.set(listed.id, { ...price, model: listed.id })
  }
  for (const price of lists.all(provider, nowMs)) if (!found.has(price.model)) found.set(price.model, price)
  return [...found.values()]
}

function aliasSteps(lists: CompiledLists, alias: Alias, nowMs: number): readonly PriceStep[] {
  const steps = stepsAt(lists, alias.provider, spellings(alias.model, VENDORS), nowMs)
  const { list, name, provider, model } = alias
  return steps.length === 0 ? [] : [{ kind: 'alias', list, name, provider, model }, ...steps]
}

/** The steps of `priceOf`. */
function stepsAt(lists: CompiledLists, provider: string, forms: readonly string[], nowMs: number): readonly PriceStep[] {
  if (priceOf(lists, provider, forms, nowMs) === null) return []
  const own = lists.entriesOver(provider, forms, nowMs).map(
    ({ list, name, spelling, fromMs }): PriceStep => ({
      kind: 'list',
      provider,
      list,
      entry: name,
      spelling,
      sinceMs: fromMs,
    }),
  )
  const bundled = offered(provider, forms, nowMs)
  if (bundled === null) return own
  const { listed, listedBy } = bundled.offer
  const span = (listed.prices.findLast(price => holds(price.span, nowMs)) ?? listed.prices[0])?.span
  const step: PriceStep = {
    kind: 'bundled',
    provider,
    listedBy,
    entry: listed.id,
    spelling: bundled.spelling,
    clause: clauseMet(listed.match, bundled.spelling),
    sinceMs: span?.kind === 'from' ? span.startMs : null,
  }
  return [step, ...own]
}
