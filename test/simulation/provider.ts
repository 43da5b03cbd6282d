// The providers behind the gateway, with a bill of their own: what they read and generate is what they charge, whoever saw it.

/** Pico-USD a token. `billsOn`: a stream that is left is generated and billed to its end. */
export const PRICES: Readonly<Record<string, { readonly input: bigint; readonly output: bigint; readonly billsOn: boolean }>> = {
  openai: { input: 2_000_003n, output: 8_000_009n, billsOn: false },
  groq: { input: 1_000_003n, output: 3_000_017n, billsOn: true },
}

export interface Bill {
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  /** Nano-USD. */
  readonly cost: bigint
}

export function billOf(provider: string, inputTokens: number, outputTokens: number): Bill {
  const price = PRICES[provider]
  if (price === undefined) throw new Error(`no provider is called ${provider}`)
  const pico = BigInt(inputTokens) * price.input + BigInt(outputTokens) * price.output
  return { inputTokens: BigInt(inputTokens), outputTokens: BigInt(outputTokens), cost: (pico + 999n) / 1_000n }
}

const WORDS = ['alpha', 'river', 'stone', 'later', 'cloud', 'paper', 'green', 'north']

/** So many words, a token each. */
export const words = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, index) => WORDS[(from + index) % WORDS.length]).join(' ')

const usageOf = ({ inputTokens, outputTokens }: Bill): object => ({
  prompt_tokens: Number(inputTokens),
  completion_tokens: Number(outputTokens),
  total_tokens: Number(inputTokens + outputTokens),
})

export function jsonAnswer(bill: Bill, withUsage: boolean): string {
  return JSON.stringify({
    object: 'chat.completion',
    model: 'gpt-sim',
    choices: [{ index: 0, message: { role: 'assistant', content: words(Number(bill.outputTokens)) }, finish_reason: 'stop' }],
    ...(withUsage ? { usage: usageOf(bill) } : {}),
  })
}

export const deltaEvent = (count: number, from: number): string =>
  event({ choices: [{ index: 0, delta: { content: `${words(count, from)} ` }, finish_reason: null }] })

export const finishEvents = (bill: Bill, withUsage: boolean): string =>
  event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }) +
  (withUsage ? event({ choices: [], usage: usageOf(bill) }) : '') +
  'data: [DONE]\n\n'

const event = (fields: object): string => `data: ${JSON.stringify({ object: 'chat.completion.chunk', model: 'gpt-sim', ...fields })}\n\n`
