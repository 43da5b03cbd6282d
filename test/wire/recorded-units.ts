// The four numbers that Bedrock's and Cohere's own reports give, worked out from a recording without any code of the formats.
type Counts = Readonly<Record<string, unknown>>

export interface Numbers {
  readonly input: number
  readonly output: number
  readonly cached: number
  readonly cacheWrite: number
}

export interface Reported {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly bodyEncoding: string
}

const count = (value: unknown): number => (typeof value === 'number' ? value : 0)
const isCounts = (value: unknown): value is Counts => typeof value === 'object' && value !== null && !Array.isArray(value)
const member = (value: unknown, name: string): Counts => (isCounts(value) && isCounts(value[name]) ? value[name] : {})

/** Bedrock: the input comes without cache reads and writes. Headers stand above the body, the metrics of a stream above its events. */
export function bedrockNumbers(counts: readonly Counts[], { headers }: Reported): Numbers {
  const all = Object.assign({}, ...counts) as Counts
  const one = (header: string, ...names: string[]): number => {
    const stated = headers[`x-amzn-bedrock-${header}-token-count`]
    return stated === undefined ? count(all[names.find(name => all[name] !== undefined) ?? '']) : Number(stated)
  }
  const cached = one('cache-read-input', 'cacheReadInputTokenCount', 'cacheReadInputTokens', 'cache_read_input_tokens')
  const cacheWrite = one('cache-write-input', 'cacheWriteInputTokenCount', 'cacheWriteInputTokens', 'cache_creation_input_tokens')
  const input = one(
    'input',
    ...['inputTokenCount', 'inputTokens', 'input_tokens', 'prompt_tokens', 'inputTextTokenCount', 'prompt_token_count'],
  )
  const output = one('output', 'outputTokenCount', 'outputTokens', 'output_tokens', 'completion_tokens', 'generation_token_count')
  return { input: input + cached + cacheWrite, output, cached, cacheWrite }
}

/** Titan's streams: recorders keep the first report of a chunk, so the chunk is asked itself. */
export function titanOutput({ body, bodyEncoding }: Reported): number | null {
  if (bodyEncoding !== 'base64') return null
  const chunks = [
    ...Buffer.from(body, 'base64')
      .toString('latin1')
      .matchAll(/"bytes":"([^"]*)"/g),
  ]
  const found = chunks.map(([, bytes = '']) => /"totalOutputTextTokenCount":(\d+)/.exec(Buffer.from(bytes, 'base64').toString())?.[1])
  const last = found.findLast(text => text !== undefined)
  return last === undefined ? null : Number(last)
}

/** Cohere: billed units, not tokens; Voyage: the total alone. Pictures come on top of the texts. */
export function cohereNumbers(usage: Counts): Numbers {
  const billed = member(usage, 'billed_units')
  const input = count(billed['input_tokens']) + count(billed['image_tokens'])
  return { input: input + count(usage['total_tokens']), output: count(billed['output_tokens']), cached: 0, cacheWrite: 0 }
}

/** Version 1 of Cohere's chat ends its stream with a line that recorders do not read; null for any other answer. */
export function streamEnd({ body }: Reported): Counts | null {
  const last = body.trim().split('\n').at(-1) ?? ''
  return last.includes('"stream-end"') ? member(member(JSON.parse(last), 'response'), 'meta') : null
}
