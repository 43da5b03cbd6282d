// `prices [MODEL]`: the price that a call would be held at and billed by, where it comes from, and what is sold at all. Changes nothing.
import { parseArgs } from 'node:util'
import { formatDecimal } from '../core/money.ts'
import { PER_REQUEST, type Price, perCallRate, ratesFor } from '../core/price.ts'
import type { PriceCatalogue } from '../core/price-catalogue.ts'
import { dayOf, type Found, foundJson, foundText, perMillion } from './prices-text.ts'

export const PRICES_HELP = `purser prices [MODEL] [--provider NAME] [--policies DIR] [--json]

The price that would be used for a model now, which entry of the price book it is, and why.
Without MODEL: the providers and how many models each sells; with --provider, that provider's models.

  --provider NAME   the provider that would be called; else the one whose name the model's is, else the dearest seller counts
  --policies DIR    a folder whose ModelPriceLists stand over the bundled list (default: the bundled list alone)
  --json            the same as JSON; money in USD, as decimal strings

Exit code 0, 1 where the book has no price, 2 for a flag that does not exist.
`

export interface PricesWiring {
  /** The book under the price lists of a folder, or the bundled one for null. Throws with a sentence where the folder cannot be used. */
  openBook(folder: string | null): Promise<PriceCatalogue>
  nowMs(): number
  out(text: string): void
  err(text: string): void
}

/** Prints what was asked for; answers the exit code. */
export async function prices(args: readonly string[], { openBook, nowMs, out, err }: PricesWiring): Promise<number> {
  const asked = readArgs(args)
  if (typeof asked === 'string') {
    err(`prices: ${asked}\n\n${PRICES_HELP}`)
    return 2
  }
  const { model, provider, json } = asked
  const book = await openBook(asked.policies)
  const now = nowMs()
  if (model !== null) return showPrice(book, find(book, model, provider, now), json, { out, err })
  if (provider === null) return showProviders(book, now, json, out)
  const sold = book.pricesOf(provider, now)
  if (sold === null) {
    err(`The price book has no provider "${provider}". Run purser prices without arguments to see which it has.\n`)
    return 1
  }
  out(json ? line(sold.map(price => ({ model: price.model, ...base(price) }))) : modelsText(sold))
  return 0
}

interface Asked {
  readonly model: string | null
  readonly provider: string | null
  readonly policies: string | null
  readonly json: boolean
}

function readArgs(args: readonly string[]): Asked | string {
  const options = { provider: { type: 'string' }, policies: { type: 'string' }, json: { type: 'boolean' } } as const
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [model = null, ...more] = positionals
    if (more.length > 0) return `one model at a time, not also ${more.join(', ')}`
    if (model?.trim() === '') return 'the model is empty'
    if (values.provider?.trim() === '') return '--provider is empty'
    return { model, provider: values.provider ?? null, policies: values.policies ?? null, json: values.json === true }
  } catch (fault) {
    return fault instanceof Error ? fault.message : String(fault)
  }
}

/** As a live call's price is found where neither its route nor its host tells the provider. */
function find(book: PriceCatalogue, model: string, provider: string | null, nowMs: number): Found {
  const maker = provider === null ? book.providerOf(model) : null
  const seller = provider ?? maker
  return {
    model,
    seller,
    why: provider !== null ? 'asked' : maker !== null ? 'maker' : 'unknown',
    price: book.find(seller, model, nowMs),
    steps: book.explain(seller, model, nowMs),
    dearest: book.dearest(seller, nowMs),
    nowMs,
  }
}

function showPrice(book: PriceCatalogue, found: Found, json: boolean, to: Pick<PricesWiring, 'out' | 'err'>): number {
  if (json) to.out(line({ ...foundJson(found), book: book.hash }))
  else if (found.price === null) to.err(foundText(found))
  else to.out(`${foundText(found)}\nbook ${book.hash.slice(0, 12)}, prices of ${dayOf(found.nowMs)}\n`)
  return found.price === null ? 1 : 0
}

function showProviders(book: PriceCatalogue, nowMs: number, json: boolean, out: PricesWiring['out']): number {
  const providers = book.providers(nowMs)
  if (json) {
    out(line(providers))
    return 0
  }
  const width = Math.max(...providers.map(({ provider }) => provider.length))
  const total = providers.reduce((sum, { models }) => sum + models, 0)
  for (const { provider, models } of providers) out(`${provider.padEnd(width)} ${String(models).padStart(5)}\n`)
  out(`\n${providers.length} providers, ${total} priced models; book ${book.hash.slice(0, 12)}, prices of ${dayOf(nowMs)}\n`)
  return 0
}

/** What a small call costs at: the base tier of the default service tier. */
function base(price: Price): { input: string; output: string; request: string } {
  const rates = ratesFor(price.serviceTiers.get('default') ?? [], 0n)
  const request = price.perCall.has(PER_REQUEST) ? perCallRate(price, PER_REQUEST) : 0n
  return { input: perMillion(rates.input), output: perMillion(rates.output), request: formatDecimal(request, 12) }
}

function modelsText(sold: readonly Price[]): string {
  const rows = [['model', 'input', 'output'], ...sold.map(price => [price.model, base(price).input, base(price).output])]
  const width = Math.max(...rows.map(([name = '']) => name.length))
  const lines = rows.map(([name = '', input = '', output = '']) => `${name.padEnd(width)} ${input.padStart(12)} ${output.padStart(12)}\n`)
  return `${lines.join('')}\n${sold.length} models; USD per million tokens, of the smallest size tier\n`
}

const line = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
