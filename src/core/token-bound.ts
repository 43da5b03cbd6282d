// Bounds on the tokens of an input that nobody has tokenised: from bytes by class, by media part, by family of models. Counts nothing itself.
import { assert, assertNever } from './assert.ts'
import { type Call, type MediaPart, type TextSize, textBytes } from './call.ts'
import { imageBound } from './image-bound.ts'

/** Millitokens per byte of each class. */
type ByteRates = { readonly [Class in keyof TextSize]: bigint }

/**
 * More than o200k and cl100k make of prose, code, JSON and 20 languages (400 files: bound / counted at least 1.02, median 1.45);
 * only text that is nearly all `\u` escapes or random symbols is denser. Dense runs: base64 is 0.68 tokens a byte, random text 0.87.
 */
const BOUND: ByteRates = { letters: 270n, digits: 750n, spaces: 300n, marks: 850n, high: 550n, dense: 850n }

/** What answers really come to, a little low (the same files: median 1.02): the ground of an estimate that adds its own margin. */
const LIKELY: ByteRates = { letters: 160n, digits: 450n, spaces: 250n, marks: 650n, high: 300n, dense: 700n }

/** A family of tokenizers: thousandths of what the rates above say, for a bound and for a likely count. */
interface Family {
  readonly bound: bigint
  readonly likely: bigint
}

/** First match wins. Source: billed tokens of 1,490 recorded requests against o200k. */
const FAMILIES: readonly (readonly [RegExp, Family])[] = [
  [/claude/, { bound: 1500n, likely: 1100n }],
  [/gemini|gemma/, { bound: 1050n, likely: 1050n }],
  [/mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|voxtral|nova-/, { bound: 1400n, likely: 1100n }],
  [/llama|qwen|qwq|deepseek|glm|command|titan|kimi|phi-|jamba|grok|sonar/, { bound: 1300n, likely: 1050n }],
  [/gpt|chatgpt|(^|[/.])o\d(-|$)|davinci|babbage|text-embedding|codex|computer-use/, { bound: 1020n, likely: 1000n }],
]
const BY_PROVIDER: ReadonlyMap<string, Family> = new Map([
  ['anthropic', { bound: 1500n, likely: 1100n }],
  ['openai', { bound: 1020n, likely: 1000n }],
  ['azure', { bound: 1020n, likely: 1000n }],
  ['google', { bound: 1050n, likely: 1050n }],
  ['mistral', { bound: 1400n, likely: 1100n }],
  ['deepseek', { bound: 1300n, likely: 1050n }],
  ['cohere', { bound: 1300n, likely: 1050n }],
])
const UNKNOWN: Family = { bound: 1500n, likely: 1100n }

/** Who may answer: a name says more than a provider, since one provider serves many families. */
export interface Answerer {
  readonly provider: string | null
  readonly model: string
}

/** Whether a model's name alone says how its tokenizer counts. */
export const tellsFamily = (model: string): boolean => FAMILIES.some(([pattern]) => pattern.test(model.toLowerCase()))

function family(answerer: Answerer): Family {
  const name = answerer.model.toLowerCase()
  for (const [pattern, found] of FAMILIES) if (pattern.test(name)) return found
  return BY_PROVIDER.get(answerer.provider ?? '') ?? UNKNOWN
}

/** The most tokens that any of the answerers makes of the text. Rises with every size; never more than the factor times one token a byte. */
export const textBound = (text: TextSize, answerers: readonly Answerer[]): bigint =>
  scaled(millitokens(text, BOUND), answerers, found => found.bound)

/** What the text comes to, likely; not a bound. */
export const textLikely = (text: TextSize, answerers: readonly Answerer[]): bigint =>
  scaled(millitokens(text, LIKELY), answerers, found => found.likely)

/** A JSON body as the tokenizer of GPT-4o (o200k) sees it. */
export interface TokenCount {
  /** Of the text that it was given. */
  readonly tokens: number
  /** Bytes of base64 that it was not given. */
  readonly payloads: number
  /** The text beyond what it takes at once. */
  readonly rest: TextSize
}

/**
 * The same bound from a count: of the whole body, so that framing is in it, but for the hidden prompts of {@link framingBound}.
 * Base64 beyond that of the media parts is text. Source of the factors: billed tokens of 1,490 recorded requests against o200k.
 */
export function countedBound(count: TokenCount, media: readonly MediaPart[], answerers: readonly Answerer[]): bigint {
  const encoded = media.reduce((sum, { bytes }) => sum + (bytes === null ? 0n : ((sizeOf(bytes) + 2n) / 3n) * 4n), 0n)
  const unseen = sizeOf(count.payloads) - encoded
  const milli = 1_000n * sizeOf(count.tokens) + millitokens(count.rest, BOUND) + (unseen > 0n ? unseen * BOUND.dense : 0n)
  return scaled(milli, answerers, found => found.bound)
}

/** One token a byte: no byte-level tokenizer makes more. */
export const strictBound = (text: TextSize): bigint => sizeOf(textBytes(text))

/** Tokens of framing a message or item, and of the prompts that a provider puts around a request: with tools, up to 1,253 were recorded. */
const ITEM_TOKENS = 8n
const PLAIN_TOKENS = 120n
const TOOLS_TOKENS = 1_300n

/** A prompt of its own that every call of a model brings, by name. Source: a recorded answer of Grok 4 with 680 tokens more than were sent. */
const BRINGS_PROMPT = /grok-(?:[4-9]|\d\d)/
const OWN_PROMPT_TOKENS = 800n

export const itemsBound = (call: Call): bigint => ITEM_TOKENS * sizeOf(call.inputItems)

/** Prompts that a provider puts around a request. */
export function framingBound(call: Call, answerers: readonly Answerer[]): bigint {
  const own = answerers.some(({ model }) => BRINGS_PROMPT.test(model.toLowerCase())) ? OWN_PROMPT_TOKENS : 0n
  const requests = call.batch === true ? call.choices : 1n
  return requests * ((call.tools ? TOOLS_TOKENS : PLAIN_TOKENS) + own)
}

/** The most tokens that the media parts come to; null where a part has no bound of its own (a document behind a URL). */
export function mediaBound(media: readonly MediaPart[], answerers: readonly Answerer[]): bigint | null {
  let sum = 0n
  for (const part of media) {
    const tokens = partBound(part, answerers)
    if (tokens === null) return null
    sum += tokens
  }
  return sum
}

function partBound(part: MediaPart, answerers: readonly Answerer[]): bigint | null {
  const bytes = part.bytes === null ? null : sizeOf(part.bytes)
  switch (part.kind) {
    case 'image':
      return largest(answerers.map(({ provider, model }) => imageBound(part, provider, model.toLowerCase())))
    case 'audio':
    case 'video':
      // 32 tokens a second of audio and 263 of video are far below a token for 4 bytes at any usual bit rate.
      return bytes === null ? null : largest([bytes / 4n, 2_000n])
    case 'document':
      // At most about 2,500 tokens a page, and a page of text seldom takes less than 5 kB of a file.
      return bytes === null ? null : largest([bytes / 2n, 3_000n])
    default:
      return assertNever(part.kind)
  }
}

function millitokens(text: TextSize, rates: ByteRates): bigint {
  const dense = sizeOf(text.dense) * (rates.dense - rates.letters)
  const classes =
    sizeOf(text.letters) * rates.letters +
    sizeOf(text.digits) * rates.digits +
    sizeOf(text.spaces) * rates.spaces +
    sizeOf(text.marks) * rates.marks +
    sizeOf(text.high) * rates.high
  const all = classes + dense
  const cap = 1_000n * sizeOf(textBytes(text))
  return all < cap ? all : cap
}

function scaled(milli: bigint, answerers: readonly Answerer[], factor: (family: Family) => bigint): bigint {
  const by = answerers.length === 0 ? factor(UNKNOWN) : largest(answerers.map(answerer => factor(family(answerer))))
  return (milli * by + 999_999n) / 1_000_000n
}

export function largest(values: readonly bigint[]): bigint {
  let found = 0n
  for (const value of values) if (value > found) found = value
  return found
}

function sizeOf(size: number): bigint {
  assert(Number.isSafeInteger(size) && size >= 0, 'a size is a whole number and not negative')
  return BigInt(size)
}
