// The operator's own price lists, compiled: they go over the bundled list, name by name. Their word is taken as it stands.
import { compileGlobs } from '../core/glob.ts'
import type { PriceList } from '../core/policy.ts'
import { type Price, TOKEN_KINDS } from '../core/price.ts'
import { wholePrice } from './catalogue.ts'
import { contextWindowOf } from './context-window.ts'
import { type DeclaredRates, type DeclaredTier, NOTHING_DECLARED, over } from './declared.ts'
import { type FineRate, fineRateOfPico, ONCE } from './exact.ts'
import { maxOutputOf } from './max-output.ts'
import { completeCalls } from './per-call.ts'
import type { Span } from './span.ts'
import { providerId } from './spelling.ts'

export interface Alias {
  readonly list: string
  readonly name: string
  readonly provider: string
  readonly model: string
}

/** An entry as it was met, for people. */
export interface ListEntry {
  readonly list: string
  readonly name: string
  readonly spelling: string
  readonly fromMs: number | null
}

export interface CompiledLists {
  /** Every provider that an entry or an alias names. */
  readonly providers: readonly string[]
  readonly spans: readonly Span[]
  /** The aliases of these spellings, of the first list that has any. */
  aliases(forms: readonly string[]): readonly Alias[]
  /** Providers that declare one of these spellings by name, not by a pattern. */
  declaring(forms: readonly string[]): readonly string[]
  /** The price of a model after every list had its say over `below`, the price without them. */
  over(below: Price | null, provider: string, forms: readonly string[], nowMs: number): Price | null
  /** The entries that have a say in `over`, in the order in which they are applied. */
  entriesOver(provider: string, forms: readonly string[], nowMs: number): readonly ListEntry[]
  /** Prices of all entries of a provider, for its envelope. */
  all(provider: string, nowMs: number): readonly Price[]
}

type Declared = PriceList['models'][number]
interface Entry {
  readonly declared: Declared
  readonly provider: string
  readonly names: readonly { readonly text: string; readonly exact: boolean; matches(form: string): boolean }[]
}

/** Lists in their order: the higher `priority` first, then by name. */
export function compileLists(lists: readonly PriceList[]): CompiledLists {
  const ordered = [...lists].sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1))
  const entries = ordered.map(list => list.models.map(compileEntry))
  const aliases = ordered.map(list => list.aliases.map(alias => compileAlias(list.name, alias)))
  const everyEntry = entries.flat()
  return {
    providers: [...new Set([...everyEntry, ...aliases.flat()].map(({ provider }) => provider))],
    spans: everyEntry.flatMap(({ declared }) =>
      declared.effectiveFromMs === null ? [] : [{ kind: 'from' as const, startMs: declared.effectiveFromMs }],
    ),
    aliases: forms => aliases.map(list => list.filter(alias => forms.includes(alias.name))).find(found => found.length > 0) ?? [],
    declaring: forms => [
      ...new Set(
        everyEntry.filter(entry => entry.names.some(name => name.exact && forms.includes(name.text))).map(({ provider }) => provider),
      ),
    ],
    over: (below, provider, forms, nowMs) =>
      entries.reduceRight<Price | null>((price, list) => {
        const found = choose(list, provider, forms, nowMs)
        return found === null ? price : overlay(found.entry.declared, found.name, provider, forms, price)
      }, below),
    entriesOver: (provider, forms, nowMs) =>
      entries.flatMap((list, at) => met(ordered[at]?.name ?? '', choose(list, provider, forms, nowMs), forms)).reverse(),
    all: (provider, nowMs) =>
      everyEntry
        .filter(entry => entry.provider === provider && isEffective(entry, nowMs))
        .flatMap(entry => overlay(entry.declared, entry.names[0]?.text ?? '', provider, [], null) ?? []),
  }
}

/** A name before a pattern, then the latest that is in force, then the first. */
function choose(list: readonly Entry[], provider: string, forms: readonly string[], nowMs: number): { entry: Entry; name: string } | null {
  let best: { entry: Entry; name: string; exact: boolean; fromMs: number } | null = null
  for (const entry of list) {
    if (entry.provider !== provider || !isEffective(entry, nowMs)) continue
    const named = entry.names.find(name => name.exact && forms.includes(name.text)) ?? entry.names.find(name => forms.some(name.matches))
    if (named === undefined) continue
    const fromMs = entry.declared.effectiveFromMs ?? Number.NEGATIVE_INFINITY
    const later = best === null || (named.exact === best.exact ? fromMs > best.fromMs : named.exact)
    if (later) best = { entry, name: named.text, exact: named.exact, fromMs }
  }
  return best
}

function met(list: string, found: ReturnType<typeof choose>, forms: readonly string[]): readonly ListEntry[] {
  if (found === null) return []
  const { entry, name } = found
  const pattern = entry.names.find(({ text }) => text === name)
  const spelling = forms.find(form => form === name) ?? forms.find(form => pattern?.matches(form)) ?? ''
  return [{ list, name, spelling, fromMs: entry.declared.effectiveFromMs }]
}

/** An entry without any rate changes only the bounds; one that leaves out a whole side takes that side from the price below. */
function overlay(declared: Declared, name: string, provider: string, forms: readonly string[], below: Price | null): Price | null {
  const maxOutputTokens = declared.maxOutputTokens ?? below?.maxOutputTokens ?? firstKnown(forms.map(maxOutputOf))
  const contextWindow = declared.contextWindow ?? below?.contextWindow ?? firstKnown(forms.map(contextWindowOf))
  const tiers = tiersOf(declared, below)
  if (tiers.every(({ rates }) => TOKEN_KINDS.every(kind => rates[kind] === null))) {
    return below === null ? null : { ...below, maxOutputTokens, contextWindow }
  }
  const perCall = completeCalls(provider, name, below?.perCall ?? new Map())
  // A declared price is that of the place where it is paid.
  return wholePrice(provider, name, tiers, ONCE, { perCall, maxOutputTokens, contextWindow })
}

function tiersOf(declared: Declared, below: Price | null): readonly DeclaredTier[] {
  const own = fine(declared.rates)
  const says = TOKEN_KINDS.some(kind => own[kind] !== null) || declared.tiers.length > 0
  const sides = says && below !== null ? sidesOf(below) : NOTHING_DECLARED
  const base = over(own, sides)
  const upper = declared.tiers.map(tier => ({ aboveInputTokens: tier.aboveInputTokens, rates: over(fine(tier.rates), base) }))
  return [{ aboveInputTokens: 0n, rates: base }, ...upper]
}

/** Input and output of the price below, at its dearest tier: all that may stand in for a side left out. */
function sidesOf(below: Price): DeclaredRates {
  const rates = below.serviceTiers.get('default')?.at(-1)?.rates
  if (rates === undefined || below.perToken === false) return NOTHING_DECLARED
  return { ...NOTHING_DECLARED, input: fineRateOfPico(rates.input), output: fineRateOfPico(rates.output) }
}

function fine(rates: Declared['rates']): DeclaredRates {
  const kinds = TOKEN_KINDS.map((kind): [string, FineRate | null] => [kind, rates[kind] === null ? null : fineRateOfPico(rates[kind])])
  return Object.fromEntries(kinds) as DeclaredRates
}

function compileEntry(declared: Declared): Entry {
  const names = declared.names.map(name => {
    const text = name.trim().toLowerCase()
    return { text, exact: !text.includes('*'), matches: compileGlobs([text], 'ignore-case') }
  })
  return { declared, provider: providerId(declared.provider), names }
}

const compileAlias = (list: string, alias: PriceList['aliases'][number]): Alias => ({
  list,
  name: alias.name.trim().toLowerCase(),
  provider: providerId(alias.provider),
  model: alias.model,
})

const isEffective = ({ declared }: Entry, nowMs: number): boolean => declared.effectiveFromMs === null || nowMs >= declared.effectiveFromMs

const firstKnown = (values: readonly (bigint | null)[]): bigint | null => values.find(value => value !== null) ?? null
