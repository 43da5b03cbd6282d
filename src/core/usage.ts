// Usage: what a provider reports of a call, in one normal form whose parts never overlap.
import type { TextSize } from './call.ts'
import type { NanoUsd } from './money.ts'

/** Token counts by kind of price. Parts are disjoint, whatever the format's convention: the input is their sum, so is the output. */
export interface TokenCounts {
  readonly input: bigint
  readonly cacheRead: bigint
  /** Sound that was read from a cache; pictures and film cost what text does. */
  readonly cacheReadAudio: bigint
  readonly cacheWrite5m: bigint
  readonly cacheWrite1h: bigint
  readonly inputAudio: bigint
  readonly inputImage: bigint
  readonly inputVideo: bigint
  readonly output: bigint
  readonly reasoning: bigint
  readonly outputAudio: bigint
  readonly outputImage: bigint
  readonly outputVideo: bigint
}

export const NO_TOKENS: TokenCounts = {
  input: 0n,
  cacheRead: 0n,
  cacheReadAudio: 0n,
  cacheWrite5m: 0n,
  cacheWrite1h: 0n,
  inputAudio: 0n,
  inputImage: 0n,
  inputVideo: 0n,
  output: 0n,
  reasoning: 0n,
  outputAudio: 0n,
  outputImage: 0n,
  outputVideo: 0n,
}

export interface Usage {
  readonly tokens: TokenCounts
  /** Charges by the call, for instance `web_search` -> 3. */
  readonly calls: ReadonlyMap<string, bigint>
  /** Parts of `tokens` that another model than `model` answered, each billed at that model's price; absent: none. */
  readonly elsewhere?: readonly { readonly model: string; readonly tokens: TokenCounts }[]
  /** The model that answered, as the provider names it. */
  readonly model: string | null
  /** The service tier that was applied, as echoed. */
  readonly serviceTier: string | null
  /** Whether the answer was made in a region of the caller's choice, as echoed; absent: the answer does not say. */
  readonly regional?: boolean
  /** The cost that the provider itself states, where it states one. */
  readonly statedCost: NanoUsd | null
  /** Contradictions found in the report (a part above its total, a negative number); the larger reading was taken. */
  readonly contradictions: readonly string[]
}

/** What came through without a final report: the ground of a delivered estimate. */
export interface Delivered {
  readonly text: TextSize
  /** Stream events that carried any output. */
  readonly deltaEvents: number
  /** Whether output may be billed that does not show as text: thoughts that are kept back, images, speech. */
  readonly hiddenReasoning: boolean
  readonly model: string | null
}

/** The provider's own id of an answer that can be fetched again, and then tells its usage; absent where there is none, or none is known. */
interface Fetchable {
  readonly answerId?: string
}

/** `exact`: the final report. `partial`: cut before it, with the last cumulative report if any came. `absent`: ended whole without one. */
export type UsageReading = Fetchable &
  (
    | { readonly kind: 'exact'; readonly usage: Usage }
    | { readonly kind: 'partial'; readonly usage: Usage | null; readonly delivered: Delivered }
    | { readonly kind: 'absent'; readonly delivered: Delivered }
  )

/** Tokens that were read from a cache. */
export const cachedTotal = (t: TokenCounts): bigint => t.cacheRead + t.cacheReadAudio

export const inputTotal = (t: TokenCounts): bigint =>
  t.input + cachedTotal(t) + t.cacheWrite5m + t.cacheWrite1h + t.inputAudio + t.inputImage + t.inputVideo

export const outputTotal = (t: TokenCounts): bigint => t.output + t.reasoning + t.outputAudio + t.outputImage + t.outputVideo

/** Both together, kind by kind. */
export const addTokens = (a: TokenCounts, b: TokenCounts): TokenCounts =>
  Object.fromEntries(Object.entries(a).map(([kind, count]) => [kind, count + b[kind as keyof TokenCounts]])) as unknown as TokenCounts
