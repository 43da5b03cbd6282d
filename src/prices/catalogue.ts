// The bundled list as a catalogue: which model of a provider a name is, its price at an instant, and whose name it is.
import { assert } from '../core/assert.ts'
import { picoUsd } from '../core/money.ts'
import { AUDIO_SECOND, type Price, type Rates, type Tier, TOKEN_KINDS } from '../core/price.ts'
import { BUNDLED, type BundledModel, type BundledProvider } from './bundled.ts'
import { compileClause, compileModels, type ModelIndex } from './clause.ts'
import { contextWindowOf } from './context-window.ts'
import { type DeclaredTier, wholeTiers } from './declared.ts'
import { type Factor, ONCE, times } from './exact.ts'
import { maxOutputOf } from './max-output.ts'
import { completeCalls } from './per-call.ts'
import { regionalFactor } from './regions.ts'
import { serviceTierFactors } from './service-tiers.ts'
import { holds } from './span.ts'

/** One model as one provider sells it. */
export interface Offer {
  /** The provider whose part of the list has the model, which is not always the one that sells it. */
  readonly listedBy: string
  readonly listed: BundledModel
  /** Null where the list has no price for tokens then: which is not a price of zero. */
  at(nowMs: number): Price | null
}

interface Shelf {
  readonly provider: BundledProvider
  readonly index: ModelIndex
  readonly offers: readonly Offer[]
  isOwnName(name: string): boolean
}

export const VENDORS: ReadonlySet<string> = new Set(BUNDLED.map(provider => provider.id))

const NO_RATES = Object.fromEntries(TOKEN_KINDS.map(kind => [kind, picoUsd(0n)])) as unknown as Rates

const SHELVES: ReadonlyMap<string, Shelf> = new Map(BUNDLED.map(provider => [provider.id, shelfOf(provider)]))

/** The makers of models; not those that sell others' (or, as zai and zhipuai, the same ones at two prices). */
const MAKERS: readonly Shelf[] = shelves(
  ['anthropic', 'arcee', 'cohere', 'cursor', 'deepseek', 'google', 'minimax'],
  ['mistral', 'moonshotai', 'openai', 'perplexity', 'typesafe', 'voyageai', 'x-ai'],
)

/** OpenAI's open models: it lists them, and sells none. */
const SOLD_BY_OTHERS = /^gpt-oss/

/** The offer of a provider (or of one whose models it sells too) for a name in lower case, null where it has none. */
export function offerOf(provider: string, name: string): Offer | null {
  const shelf = SHELVES.get(provider)
  if (shelf === undefined) return null
  const own = offerOn(shelf, name)
  if (own !== null) return own
  for (const fallback of shelf.provider.fallbacks) {
    const other = SHELVES.get(fallback)
    const at = other?.index(name) ?? null
    if (other !== undefined && at !== null) return resold(provider, other, modelAt(other, at))
  }
  return null
}

/** Everything that a provider sells, its fallbacks' models included. */
export function offersOf(provider: string): readonly Offer[] {
  const shelf = SHELVES.get(provider)
  if (shelf === undefined) return []
  const others = shelves(shelf.provider.fallbacks)
  return [...shelf.offers, ...others.flatMap(other => other.provider.models.map(model => resold(provider, other, model)))]
}

/** The makers that a bare name (no vendor or region before it) points to: those that claim such names, else those that list it. */
export function makersOf(name: string): readonly string[] {
  if (/[/]|^(?:[a-z-]+\.)+[a-z]/.test(name) || SOLD_BY_OTHERS.test(name)) return []
  const claiming = MAKERS.filter(shelf => shelf.isOwnName(name))
  const listing = MAKERS.filter(shelf => shelf.index(name) !== null)
  if (claiming.length === 0) return ids(listing)
  const soldElsewhere = () => [...SHELVES.values()].some(shelf => !claiming.includes(shelf) && shelf.index(name) !== null)
  const claimed = claiming.filter(shelf => listing.includes(shelf))
  return claimed.length === 0 && soldElsewhere() ? [] : ids(claimed.length === 0 ? claiming : claimed)
}

/** The price of tokens and calls as `provider` bills them, whole; null where no tokens' price is declared. `regional`: what a region costs more. */
export function wholePrice(
  provider: string,
  model: string,
  tiers: readonly DeclaredTier[],
  regional: Factor,
  rest: Omit<Price, 'serviceTiers' | 'regionalTiers' | 'provider' | 'model'>,
): Price | null {
  const serviceTiers = tiersAt(provider, model, tiers, ONCE)
  const regionalTiers = regional === ONCE ? null : tiersAt(provider, model, tiers, regional)
  if (serviceTiers === null) return null
  return { provider, model, serviceTiers, ...(regionalTiers === null ? {} : { regionalTiers }), ...rest }
}

/** All service tiers at a factor; null where no tokens' price is declared. */
function tiersAt(provider: string, model: string, tiers: readonly DeclaredTier[], factor: Factor): Price['serviceTiers'] | null {
  const all = new Map<string, readonly Tier[]>()
  for (const [name, own] of serviceTierFactors(provider, model)) {
    const whole = wholeTiers(tiers, times(own, factor))
    if (whole === null) return null
    all.set(name, whole)
  }
  return all
}

function shelfOf(provider: BundledProvider): Shelf {
  const { models } = provider
  return {
    provider,
    index: compileModels(
      models.map(model => model.match),
      models.map(model => model.id),
      VENDORS,
    ),
    offers: models.map(model => offerFor(provider.id, provider.id, model)),
    isOwnName: provider.ownNames === null ? () => false : compileClause(provider.ownNames),
  }
}

const RESOLD = new Map<string, Map<BundledModel, Offer>>()

/** Another provider's model as this one sells it. */
function resold(provider: string, shelf: Shelf, model: BundledModel): Offer {
  const offers = RESOLD.get(provider) ?? new Map<BundledModel, Offer>()
  const offer = offers.get(model) ?? offerFor(provider, shelf.provider.id, model)
  offers.set(model, offer)
  RESOLD.set(provider, offers)
  return offer
}

/** Every price is made whole here, once: what is not exact fails at the start, not at a call. */
function offerFor(provider: string, listedBy: string, model: BundledModel): Offer {
  const built = model.prices.map(({ span, tiers, perCall }) => ({
    span,
    price:
      tiers.length === 0 && perCall.has(AUDIO_SECOND)
        ? lengthPrice(provider, model, perCall)
        : wholePrice(provider, model.id, tiers, regionalFactor(provider, model.id), {
            perCall: completeCalls(provider, model.id, perCall),
            maxOutputTokens: maxOutputOf(model.id),
            contextWindow: model.contextWindow ?? contextWindowOf(model.id),
          }),
  }))
  const first = built[0]
  assert(first !== undefined, 'every listed model has its prices')
  return { listedBy, listed: model, at: nowMs => (built.findLast(({ span }) => holds(span, nowMs)) ?? first).price }
}

/** The price of a model that is sold by the length of what it hears, and not by the token. */
function lengthPrice(provider: string, model: BundledModel, perCall: Price['perCall']): Price {
  const serviceTiers = new Map([['default', [{ aboveInputTokens: 0n, rates: NO_RATES }]]])
  const { id, contextWindow } = model
  return { provider, model: id, serviceTiers, perCall, perToken: false, maxOutputTokens: maxOutputOf(id), contextWindow }
}

function offerOn(shelf: Shelf, name: string): Offer | null {
  const at = shelf.index(name)
  return at === null ? null : (shelf.offers[at] ?? null)
}

function modelAt(shelf: Shelf, at: number): BundledModel {
  const model = shelf.provider.models[at]
  assert(model !== undefined, 'an index names a model of its own shelf')
  return model
}

function shelves(...names: readonly (readonly string[])[]): readonly Shelf[] {
  return names.flat().flatMap(id => SHELVES.get(id) ?? [])
}

const ids = (found: readonly Shelf[]): readonly string[] => found.map(shelf => shelf.provider.id)
