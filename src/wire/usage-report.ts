// A provider's token numbers, under whichever convention they come, to the disjoint counts of the core. Lists every contradiction it meets.
import type { TokenCounts } from '../core/usage.ts'

/**
 * What a format's input number covers. OpenAI, Gemini, Mistral and Groq: `InputIncludesCache`, cached tokens are a part of it.
 * Anthropic and Bedrock: `InputExcludesCache`, cache reads and writes come on top of it.
 */
export type CacheConvention = 'InputIncludesCache' | 'InputExcludesCache'

/** The numbers as reported; null where the report has none. Audio, image and reasoning tokens are parts of their side. */
export interface ReportedTokens {
  readonly input: bigint | null
  readonly cacheRead: bigint | null
  /** A part of what was read from the cache. */
  readonly cacheReadAudio: bigint | null
  readonly cacheWrite5m: bigint | null
  readonly cacheWrite1h: bigint | null
  readonly inputAudio: bigint | null
  readonly inputImage: bigint | null
  readonly inputVideo: bigint | null
  readonly output: bigint | null
  readonly reasoning: bigint | null
  readonly outputAudio: bigint | null
  readonly outputImage: bigint | null
  readonly outputVideo: bigint | null
  /** Of both sides; decides where another number is missing, or where reasoning is left out of the output (xAI, Gemini's OpenAI shape). */
  readonly total: bigint | null
}

export const NOTHING_REPORTED: ReportedTokens = {
  input: null,
  cacheRead: null,
  cacheReadAudio: null,
  cacheWrite5m: null,
  cacheWrite1h: null,
  inputAudio: null,
  inputImage: null,
  inputVideo: null,
  output: null,
  reasoning: null,
  outputAudio: null,
  outputImage: null,
  outputVideo: null,
  total: null,
}

export interface NormalTokens {
  readonly tokens: TokenCounts
  readonly contradictions: readonly string[]
}

/** Disjoint counts, none negative. Where the numbers contradict each other, the reading that counts more tokens is taken. */
export function normaliseTokens(reported: ReportedTokens, convention: CacheConvention): NormalTokens {
  const contradictions: string[] = []
  const input = inputSide(reported, convention, contradictions)
  const output = outputSide(reported, sum(Object.values(input)), contradictions)
  return { tokens: { ...input, ...output }, contradictions }
}

type OutputSide = Pick<TokenCounts, 'output' | 'reasoning' | 'outputAudio' | 'outputImage' | 'outputVideo'>
type InputSide = Omit<TokenCounts, keyof OutputSide>

function inputSide(reported: ReportedTokens, convention: CacheConvention, contradictions: string[]): InputSide {
  const cacheRead = reported.cacheRead ?? 0n
  const cacheWrite5m = reported.cacheWrite5m ?? 0n
  const cacheWrite1h = reported.cacheWrite1h ?? 0n
  const stated = reported.input ?? atLeastZero((reported.total ?? 0n) - (reported.output ?? 0n))
  const excluded = convention === 'InputExcludesCache' || cacheRead > stated
  if (convention === 'InputIncludesCache' && cacheRead > stated) contradictions.push('cached tokens above the input that includes them')
  const cached = cacheRead + cacheWrite5m + cacheWrite1h
  const parts = parted(stated, [
    ['cache writes (1 h)', excluded ? 0n : cacheWrite1h],
    ['cache writes', excluded ? 0n : cacheWrite5m],
    ['audio', reported.inputAudio ?? 0n],
    ['image', reported.inputImage ?? 0n],
    ['video', reported.inputVideo ?? 0n],
    ['cached', excluded ? 0n : cacheRead],
  ])
  // Parts may overlap each other (cached audio); only one part above the whole contradicts it.
  contradictions.push(...parts.above.map(name => `${name} tokens above the input that includes them`))
  const [write1h = 0n, write5m = 0n, inputAudio = 0n, inputImage = 0n, inputVideo = 0n, read = 0n] = parts.counts
  const beside = cached > 0n && excluded
  const [allRead, cachedAudio] = [beside ? cacheRead : read, reported.cacheReadAudio ?? 0n]
  const cacheReadAudio = smaller(cachedAudio, allRead)
  return {
    input: parts.rest,
    cacheRead: allRead - cacheReadAudio,
    cacheReadAudio,
    cacheWrite5m: beside ? cacheWrite5m : write5m,
    cacheWrite1h: beside ? cacheWrite1h : write1h,
    inputAudio,
    inputImage,
    inputVideo,
  }
}

function outputSide(reported: ReportedTokens, input: bigint, contradictions: string[]): OutputSide {
  const stated = reported.output ?? 0n
  const left = reported.total === null ? 0n : reported.total - input
  if (reported.total !== null && left < stated) contradictions.push('a total below its parts')
  let whole = larger(stated, atLeastZero(left))
  const inner = (reported.reasoning ?? 0n) + (reported.outputAudio ?? 0n) + (reported.outputImage ?? 0n) + (reported.outputVideo ?? 0n)
  // Without a total to say otherwise, reasoning above the output was not counted in it.
  if (reported.total === null && inner > whole) {
    contradictions.push('output tokens below their parts')
    whole += inner
  }
  const parts = parted(whole, [
    ['audio', reported.outputAudio ?? 0n],
    ['image', reported.outputImage ?? 0n],
    ['video', reported.outputVideo ?? 0n],
    ['reasoning', reported.reasoning ?? 0n],
  ])
  contradictions.push(...parts.above.map(name => `${name} tokens above the output that includes them`))
  const [outputAudio = 0n, outputImage = 0n, outputVideo = 0n, reasoning = 0n] = parts.counts
  return { output: parts.rest, reasoning, outputAudio, outputImage, outputVideo }
}

/** Cuts a whole into parts, the first served first, and what is left over; a part above the whole is named. */
function parted(whole: bigint, parts: readonly (readonly [string, bigint])[]): { counts: bigint[]; rest: bigint; above: string[] } {
  let rest = whole
  const counts = parts.map(([, count]) => {
    const taken = smaller(count, rest)
    rest -= taken
    return taken
  })
  return { counts, rest, above: parts.filter(([, count]) => count > whole).map(([name]) => name) }
}

const sum = (counts: readonly bigint[]): bigint => counts.reduce((total, count) => total + count, 0n)
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const atLeastZero = (count: bigint): bigint => (count < 0n ? 0n : count)
