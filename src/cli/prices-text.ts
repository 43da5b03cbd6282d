// How a price is shown: as a page for people, or as JSON. Money is printed exactly, in USD, never through a float.
import { assertNever } from '../core/assert.ts'
import { formatDecimal } from '../core/money.ts'
import { type Price, type Rates, type Tier, TOKEN_KINDS } from '../core/price.ts'
import type { PriceStep } from '../core/price-catalogue.ts'

/** What the book says of one name. */
export interface Found {
  readonly model: string
  /** Null: no provider is known, and the dearest seller counts. */
  readonly seller: string | null
  readonly why: 'asked' | 'maker' | 'unknown'
  readonly price: Price | null
  readonly steps: readonly PriceStep[]
  /** What stands in for a model without a price where a policy allows it. */
  readonly dearest: Price | null
  readonly nowMs: number
}

/** Pico-USD a token as USD a million tokens. */
export const perMillion = (pico: bigint): string => formatDecimal(pico, 6)

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** The page of a name, or the sentences that say that it has no price. */
export function foundText(found: Found): string {
  const { price, model } = found
  if (price === null) return unknownText(found)
  return [
    `${model}: ${whose(found)}\n`,
    ...stepsText(found),
    '',
    ...(price.perToken === false ? ['not sold by the token'] : ratesText(price)),
    '',
    'USD per call',
    ...[...price.perCall].map(([kind, rate]) => `  ${KIND.get(kind) ?? kind}: ${formatDecimal(rate, 12)}`),
    '',
    `maximum output: ${price.maxOutputTokens === null ? 'not known, the context window counts' : `${price.maxOutputTokens} tokens`}`,
    `context window: ${price.contextWindow === null ? 'not known' : `${price.contextWindow} tokens`}`,
    '',
  ].join('\n')
}

/** The same for programs. Counts are numbers, money decimal strings in USD; `price` is null where there is none. */
export function foundJson({ model, seller, price, steps, dearest }: Found): Record<string, unknown> {
  return {
    model,
    provider: seller,
    matched: steps.map(step => ('sinceMs' in step ? { ...step, sinceMs: undefined, since: sinceOf(step.sinceMs) } : step)),
    price: price === null ? null : priceJson(price),
    ...(price === null ? { onUnknownModel: { Deny: null, DearestOfProvider: dearest === null ? null : priceJson(dearest) } } : {}),
  }
}

const sinceOf = (ms: number | null): string | null => (ms === null ? null : dayOf(ms))

function priceJson(price: Price): Record<string, unknown> {
  return {
    provider: price.provider,
    entry: price.model,
    serviceTiers: price.perToken === false ? {} : tiersJson(price.serviceTiers),
    ...(price.regionalTiers === undefined ? {} : { regionalTiers: tiersJson(price.regionalTiers) }),
    perCall: Object.fromEntries([...price.perCall].map(([kind, rate]) => [kind, formatDecimal(rate, 12)])),
    maxOutputTokens: price.maxOutputTokens === null ? null : Number(price.maxOutputTokens),
    contextWindow: price.contextWindow === null ? null : Number(price.contextWindow),
  }
}

function tiersJson(all: Price['serviceTiers']): Record<string, unknown> {
  const tiers = [...all].map(([name, sizes]) => [
    name,
    sizes.map(({ aboveInputTokens, rates }) => ({
      aboveInputTokens: Number(aboveInputTokens),
      perMillionTokens: Object.fromEntries(TOKEN_KINDS.map(kind => [kind, perMillion(rates[kind])])),
    })),
  ])
  return Object.fromEntries(tiers)
}

function whose({ seller, why }: Found): string {
  if (seller === null) return 'no provider is known, so each kind of token costs as at the dearest that sells it'
  return why === 'maker' ? `at ${seller}, whose name it is` : `at ${seller}`
}

function stepsText({ steps }: Found): readonly string[] {
  return ['matched, later over earlier', ...steps.map(step => `  ${stepText(step)}`)]
}

function stepText(step: PriceStep): string {
  switch (step.kind) {
    case 'alias':
      return `ModelPriceList ${step.list}: the alias ${step.name} stands for ${step.model} at ${step.provider}`
    case 'list':
      return `ModelPriceList ${step.list}: the entry ${step.entry} of ${step.provider}, for ${step.spelling}${since(step.sinceMs)}`
    case 'bundled': {
      const resold = step.listedBy === step.provider ? '' : `, under ${step.listedBy}'s price`
      return `bundled list: ${step.entry} of ${step.provider}${resold}, because ${step.spelling} meets "${step.clause}"${since(step.sinceMs)}`
    }
    default:
      return assertNever(step)
  }
}

const since = (ms: number | null): string => (ms === null ? '' : `, since ${dayOf(ms)}`)

/** A table: a row for each service tier and size, a column for each kind of token; what is the same is said once. */
function ratesText(price: Price): readonly string[] {
  const rows = rowsOf(price)
  const columns = columnsOf(rows)
  const cells = [
    ['', ...columns.map(({ titles }) => titles[0] ?? '')],
    ...rows.map(({ titles, rates }) => [titles.join(', '), ...columns.map(({ kind }) => perMillion(rates[kind]))]),
  ]
  const width = (at: number): number => Math.max(...cells.map(row => row[at]?.length ?? 0))
  const text = cells.map(row => `  ${row.map((cell, at) => (at === 0 ? cell.padEnd(width(at)) : cell.padStart(width(at)))).join('  ')}`)
  const alike = columns.flatMap(({ titles: [first, ...others] }) => (others.length === 0 ? [] : [`  ${others.join(', ')}: as ${first}`]))
  return ['USD per million tokens', ...text, ...alike]
}

interface Row {
  readonly titles: string[]
  readonly rates: Rates
}

/** Sizes that change nothing are left out; service tiers that cost the same in every size share their rows. */
function rowsOf(price: Price): readonly Row[] {
  const tiers = new Map<string, { readonly names: string[]; readonly sizes: readonly Tier[] }>()
  const inRegion = price.regionalTiers?.get('default')
  const regional: [string, readonly Tier[]][] = inRegion === undefined ? [] : [['in a region of choice', inRegion]]
  for (const [name, all] of [...price.serviceTiers, ...regional]) {
    const sizes = all.filter(({ rates }, at) => at === 0 || !isSame(rates, all[at - 1]?.rates))
    const key = sizes.map(({ aboveInputTokens, rates }) => `${aboveInputTokens}:${TOKEN_KINDS.map(kind => rates[kind])}`).join(' ')
    const known = tiers.get(key)
    if (known === undefined) tiers.set(key, { names: [name], sizes })
    else known.names.push(name)
  }
  return [...tiers.values()].flatMap(({ names, sizes }) =>
    sizes.map(({ aboveInputTokens, rates }) => ({
      titles: [...names, ...(aboveInputTokens === 0n ? [] : [`over ${aboveInputTokens} tokens of input`])],
      rates,
    })),
  )
}

const isSame = (rates: Rates, other: Rates | undefined): boolean => TOKEN_KINDS.every(kind => rates[kind] === other?.[kind])

/** Kinds that cost the same in every row share a column. */
function columnsOf(rows: readonly Row[]): readonly { readonly kind: keyof Rates; readonly titles: readonly string[] }[] {
  const columns = new Map<string, { readonly kind: keyof Rates; readonly titles: string[] }>()
  for (const kind of TOKEN_KINDS) {
    const key = `${rows.map(({ rates }) => rates[kind])}`
    const known = columns.get(key)
    if (known === undefined) columns.set(key, { kind, titles: [KIND_OF_TOKEN[kind]] })
    else known.titles.push(KIND_OF_TOKEN[kind])
  }
  return [...columns.values()]
}

const KIND_OF_TOKEN: Readonly<Record<keyof Rates, string>> = {
  input: 'input',
  cacheRead: 'cache read',
  cacheReadAudio: 'cache read of audio',
  cacheWrite5m: 'cache write 5 min',
  cacheWrite1h: 'cache write 1 h',
  inputAudio: 'audio in',
  inputImage: 'image in',
  inputVideo: 'video in',
  output: 'output',
  reasoning: 'reasoning',
  outputAudio: 'audio out',
  outputImage: 'image out',
  outputVideo: 'video out',
}

const KIND: ReadonlyMap<string, string> = new Map([['request', 'each request']])

function unknownText({ model, seller, dearest }: Found): string {
  const where = seller === null ? 'at any provider' : `at ${seller}`
  const standIn =
    dearest === null
      ? 'DearestOfProvider would refuse them too, because the book does not have this provider either.'
      : `DearestOfProvider would reserve for them at the dearest of ${seller ?? 'all providers'}, kind by kind:\n\n${ratesText(dearest).join('\n')}`
  return [
    `The price book has no price for "${model.slice(0, 256)}" ${where}.\n`,
    'Under a limit in USD, onUnknownModel decides:',
    'Deny (the default) refuses calls to it with the reason no-price.',
    `${standIn}\n`,
    'A ModelPriceList gives it a price, or an alias that says which model it is.\n',
  ].join('\n')
}
