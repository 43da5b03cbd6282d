// Declared rates, as a list states them with gaps, and the whole rates made of them: the fallbacks live here and nowhere else.
import { type Rates, type Tier, TOKEN_KINDS } from '../core/price.ts'
import { type Factor, type FineRate, ONCE, picoUp, times } from './exact.ts'

/** What a list says of each kind; null where it says nothing. */
export type DeclaredRates = { readonly [Kind in keyof Rates]: FineRate | null }

export interface DeclaredTier {
  readonly aboveInputTokens: bigint
  readonly rates: DeclaredRates
}

export const NOTHING_DECLARED: DeclaredRates = Object.fromEntries(TOKEN_KINDS.map(kind => [kind, null])) as DeclaredRates

/** Prompt caching where its price is not listed: the rates of the providers that charge for writing (5 minutes, 1 hour). */
const WRITE_5M: Factor = { over: 5n, under: 4n }
const WRITE_1H: Factor = { over: 2n, under: 1n }

/**
 * Whole rates: a missing cache read, audio, image or video costs as plain input (cached audio as any cache read, else as audio), a cache write 1.25 times (5 minutes) or twice (1 hour) the
 * input, missing kinds of output as plain output, and a missing side as the other side. Null where neither side is declared: no price.
 */
export function wholeRates(declared: DeclaredRates, factor: Factor): Rates | null {
  const input = declared.input ?? declared.output
  const output = declared.output ?? declared.input
  if (input === null || output === null) return null
  const rate = (own: FineRate | null, other: FineRate, fallback: Factor = ONCE) =>
    own === null ? picoUp(other, times(factor, fallback)) : picoUp(own, factor)
  return {
    input: picoUp(input, factor),
    cacheRead: rate(declared.cacheRead, input),
    cacheReadAudio: rate(declared.cacheReadAudio, declared.cacheRead ?? declared.inputAudio ?? input),
    cacheWrite5m: rate(declared.cacheWrite5m, input, WRITE_5M),
    cacheWrite1h: rate(declared.cacheWrite1h, input, WRITE_1H),
    inputAudio: rate(declared.inputAudio, input),
    inputImage: rate(declared.inputImage, input),
    inputVideo: rate(declared.inputVideo, input),
    output: picoUp(output, factor),
    reasoning: rate(declared.reasoning, output),
    outputAudio: rate(declared.outputAudio, output),
    outputImage: rate(declared.outputImage, output),
    outputVideo: rate(declared.outputVideo, output),
  }
}

/** All tiers of a price at one factor, ascending; null where any of them has no price. */
export function wholeTiers(declared: readonly DeclaredTier[], factor: Factor): readonly Tier[] | null {
  const tiers: Tier[] = []
  for (const { aboveInputTokens, rates } of declared) {
    const whole = wholeRates(rates, factor)
    if (whole === null) return null
    tiers.push({ aboveInputTokens, rates: whole })
  }
  return tiers.length === 0 ? null : tiers.sort((a, b) => (a.aboveInputTokens < b.aboveInputTokens ? -1 : 1))
}

/** `upper` where it says something, else `lower`: a long-context tier states only what changes. */
export function over(upper: DeclaredRates, lower: DeclaredRates): DeclaredRates {
  return Object.fromEntries(TOKEN_KINDS.map(kind => [kind, upper[kind] ?? lower[kind]])) as DeclaredRates
}
