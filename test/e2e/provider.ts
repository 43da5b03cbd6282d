// The fake provider as a process of its own, so that neither its work nor the clients' delays the other; and what tests ask of it.
import { join } from 'node:path'
import { startChild } from './child.ts'

export interface TestProvider {
  readonly port: number
  /** What it billed so far, in nano-USD. */
  billed(): Promise<bigint>
  /** The same for calls that carried this `x-fake-tag`. */
  billedFor(tag: string): Promise<bigint>
  /** The credentials that it billed to, without `Bearer`. */
  keys(): Promise<readonly string[]>
  /** Calls that are neither answered nor billed yet. */
  open(): Promise<number>
  stop(): Promise<void>
}

export interface TestProviderSetting {
  readonly delayMs?: number
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly chunkDelayMs?: number
  readonly launcher?: readonly string[]
}

interface Bill {
  readonly totalNanoUsd: string
  readonly open: number
  readonly byTag: Readonly<Record<string, string>>
  readonly byKey: Readonly<Record<string, string>>
}

/** Bills 100 tokens in and 500 out a call, unless told otherwise. */
export async function startTestProvider(setting: TestProviderSetting = {}): Promise<TestProvider> {
  const { delayMs = 0, inputTokens = 100, outputTokens = 500, chunkDelayMs = 0, launcher = [] } = setting
  const program = join(import.meta.dirname, '../provider/main.ts')
  const flags = { 'delay-ms': delayMs, 'input-tokens': inputTokens, tokens: outputTokens, 'chunk-delay-ms': chunkDelayMs }
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)])
  const [command = '', ...rest] = [...launcher, process.execPath, program, ...args]
  const child = startChild('provider', command, rest)
  const ready = JSON.parse(await child.line(line => line.includes('"ready"'), 30_000)) as { port: number }
  const bill = async (): Promise<Bill> => (await (await fetch(`http://127.0.0.1:${ready.port}/bill?calls=0`)).json()) as Bill
  return {
    port: ready.port,
    billed: async () => BigInt((await bill()).totalNanoUsd),
    billedFor: async tag => BigInt(Math.round(Number((await bill()).byTag[tag] ?? 0) * 1e9)),
    keys: async () => Object.keys((await bill()).byKey),
    open: async () => (await bill()).open,
    stop: async () => {
      await child.end('SIGTERM', 5_000)
    },
  }
}

/** About 100 tokens of English: what every call of these tests sends. */
const PROMPT = `Please read the following minutes of the meeting and write a short summary for people who could not be there. ${'The harbour office opened the new quay, and the first ships came in before noon. '.repeat(4)}`

/** A chat call to a model at $2.50 in and $10 out a million tokens. */
export function chatBody(maxTokens: number, stream: boolean): string {
  return JSON.stringify({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: PROMPT }],
    max_tokens: maxTokens,
    ...(stream ? { stream: true } : {}),
  })
}

export const CHAT_PATH = '/v1/chat/completions'
