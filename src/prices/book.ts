// The price book: the operator's lists over the bundled one, asked by provider, name and instant. Frozen: new lists make a new book.
import { createHash } from 'node:crypto'
import { assert } from '../core/assert.ts'
import type { PriceList } from '../core/policy.ts'
import type { ModelNames, Price } from '../core/price.ts'
import type { PriceCatalogue } from '../core/price-catalogue.ts'
import { MODEL_NAME_CHARS_MAX, PRICE_CACHE_MAX } from '../limits.ts'
import { BUNDLED, BUNDLED_HASH } from './bundled.ts'
import { makersOf, offersOf, VENDORS } from './catalogue.ts'
import { envelopeOf } from './envelope.ts'
import { explainFound, sellable } from './explain.ts'
import { findIn } from './find.ts'
import { type CompiledLists, compileLists } from './lists.ts'
import { stretches } from './span.ts'
import { providerId, spellings } from './spelling.ts'

/** Raised whenever our own tables or rules change what a name costs, so that the hash does too. */
const RULES = 3

const ANY = '(any provider)'
const DEAREST = '(dearest)'

/**
 * A book of the bundled list under `lists`: entries of a list win over those of lists of a lower priority, and over the bundled
 * one. Names are compared without case and by the spellings of `spelling.ts`.
 */
export function buildPriceBook(lists: readonly PriceList[]): PriceCatalogue {
  const compiled = compileLists(lists)
  const stretch = stretches([
    ...BUNDLED.flatMap(({ models }) => models.flatMap(({ prices }) => prices.map(price => price.span))),
    ...compiled.spans,
  ])
  const sellers = [...new Set([...VENDORS, ...compiled.providers])]
  const found = remember<Price | null>(stretch)
  const dearest = remember<Price | null>(stretch)
  const makers = new Map<string, string | null>()
  const names = new Map<string, ModelNames>()
  return Object.freeze({
    hash: hashOf(lists),
    find: (provider: string | null, model: string, nowMs: number) => {
      if (model.length > MODEL_NAME_CHARS_MAX) return null
      const seller = provider === null ? null : providerId(provider)
      return found(`${seller ?? ''}\n${model}`, nowMs, () => findIn(compiled, sellers, seller, model, nowMs))
    },
    dearest: (provider: string | null, nowMs: number) => {
      const seller = provider === null ? null : providerId(provider)
      if (seller !== null && !sellers.includes(seller)) return null
      if (seller !== null) return dearest(seller, nowMs, () => dearestOf(compiled, seller, nowMs))
      const each = () => sellers.flatMap(one => dearest(one, nowMs, () => dearestOf(compiled, one, nowMs)) ?? [])
      return dearest('', nowMs, () => envelopeOf(each(), ANY, DEAREST))
    },
    providerOf: (model: string) => {
      if (model.length > MODEL_NAME_CHARS_MAX) return null
      const known = makers.get(model)
      if (known !== undefined) return known
      const maker = makerOf(compiled, model)
      put(makers, model, maker)
      return maker
    },
    namesOf: (provider: string | null, model: string) => {
      const seller = provider === null ? '' : providerId(provider)
      const key = `${seller}\n${model}`
      const known = names.get(key)
      if (known !== undefined) return known
      const found = namesIn(compiled, seller, model)
      if (model.length <= MODEL_NAME_CHARS_MAX) put(names, key, found)
      return found
    },
    explain: (provider: string | null, model: string, nowMs: number) =>
      explainFound(compiled, sellers, provider === null ? null : providerId(provider), model, nowMs),
    providers: (nowMs: number) =>
      sellers
        .map(provider => ({ provider, models: sellable(compiled, provider, nowMs).length }))
        .sort((a, b) => (a.provider < b.provider ? -1 : 1)),
    pricesOf: (provider: string, nowMs: number) => {
      const seller = providerId(provider)
      return sellers.includes(seller) ? sellable(compiled, seller, nowMs) : null
    },
  })
}

/** As a price is found: an alias of the provider counts, else every one of that name. */
function namesIn(lists: CompiledLists, seller: string, model: string): ModelNames {
  const forms = spellings(model, VENDORS)
  const aliases = lists.aliases(forms)
  const here = aliases.filter(alias => alias.provider === seller)
  return { spellings: forms.filter(form => form !== model), standsFor: (here.length > 0 ? here : aliases).map(alias => alias.model) }
}

function dearestOf(lists: CompiledLists, seller: string, nowMs: number): Price | null {
  const prices = [...offersOf(seller).flatMap(offer => offer.at(nowMs) ?? []), ...lists.all(seller, nowMs)]
  return prices.length === 0 ? null : { ...envelopeOf(prices, seller, DEAREST), maxOutputTokens: null }
}

function makerOf(lists: CompiledLists, model: string): string | null {
  const forms = spellings(model, VENDORS)
  const aliased = new Set(lists.aliases(forms).map(alias => alias.provider))
  if (aliased.size > 0) return only(aliased)
  const [written] = forms
  const bare = written?.replace(/^models\//, '')
  const makers = bare === undefined ? [] : makersOf(bare)
  return only(new Set(makers.length > 0 ? makers : lists.declaring(forms)))
}

const only = (names: ReadonlySet<string>): string | null => (names.size === 1 ? ([...names][0] ?? null) : null)

/** Keeps what was computed for a key while no price changes; forgets the oldest key beyond the bound. */
function remember<T>(stretch: (nowMs: number) => number): (key: string, nowMs: number, compute: () => T) => T {
  const kept = new Map<string, { readonly stretch: number; readonly value: T }>()
  return (key, nowMs, compute) => {
    assert(Number.isFinite(nowMs), 'the time is a number')
    const current = stretch(nowMs)
    const known = kept.get(key)
    if (known !== undefined && known.stretch === current) return known.value
    const value = compute()
    put(kept, key, { stretch: current, value })
    return value
  }
}

function put<T>(kept: Map<string, T>, key: string, value: T): void {
  if (kept.size >= PRICE_CACHE_MAX && !kept.has(key)) {
    const oldest = kept.keys().next()
    if (!oldest.done) kept.delete(oldest.value)
  }
  kept.set(key, value)
}

function hashOf(lists: readonly PriceList[]): string {
  const text = JSON.stringify(lists, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  return createHash('sha256').update(`${RULES}\n${BUNDLED_HASH}\n${text}`).digest('hex')
}
