// How the fake provider behaves: its options, and what the `x-fake-*` headers of one request change for that request. Knows no formats.
import type { IncomingHttpHeaders } from 'node:http'

export const FAULTS = [
  '400',
  '401',
  '404',
  '429',
  '500',
  '503',
  'error-in-stream',
  'reset',
  'reset-mid-stream',
  'hang',
  'no-usage',
  'wrong-usage',
  'truncated',
] as const
export type Fault = (typeof FAULTS)[number]

/** USD a million tokens, as decimal text. */
export interface ListedPrice {
  readonly input: string
  readonly output: string
}

export interface ProviderOptions {
  /** 0, the default: any free port. */
  readonly port?: number
  readonly host?: string
  /** From the whole request to the first byte of the answer. */
  readonly delayMs?: number
  /** Output tokens of one choice; a bound that the request declares caps them. */
  readonly outputTokens?: number
  /** Null, the default: about a token for four characters of the prompt. */
  readonly inputTokens?: number | null
  /** Between two tokens of a stream. */
  readonly chunkDelayMs?: number
  readonly fault?: Fault | null
  readonly gzip?: boolean
  /** Whether a stream that its client leaves is generated and billed to the end. */
  readonly billsOnAbort?: boolean
  /** By model, over the provider's own list; `*` for every other model. */
  readonly prices?: Readonly<Record<string, ListedPrice>>
  /** Azure: the model of each deployment; a deployment that is not named here is called after its model. */
  readonly deployments?: Readonly<Record<string, string>>
}

export interface Behaviour {
  readonly delayMs: number
  readonly outputTokens: number
  readonly inputTokens: number | null
  readonly chunkDelayMs: number
  readonly fault: Fault | null
  readonly gzip: boolean
  readonly billsOnAbort: boolean
  /** `x-fake-tag`: a name that the bill adds up by. */
  readonly tag: string | null
}

/** The behaviour for one request; throws a sentence for a header that is not understood, so that no test passes by a slip. */
export function behaviourOf(options: ProviderOptions, headers: IncomingHttpHeaders): Behaviour {
  const fault = text(headers, 'x-fake-error')
  return {
    delayMs: number(headers, 'x-fake-delay-ms') ?? options.delayMs ?? 0,
    outputTokens: number(headers, 'x-fake-tokens') ?? options.outputTokens ?? 20,
    inputTokens: number(headers, 'x-fake-input-tokens') ?? options.inputTokens ?? null,
    chunkDelayMs: number(headers, 'x-fake-chunk-delay-ms') ?? options.chunkDelayMs ?? 0,
    fault: fault === null ? (options.fault ?? null) : faultOf(fault),
    gzip: flag(headers, 'x-fake-gzip') ?? options.gzip ?? false,
    billsOnAbort: flag(headers, 'x-fake-bills-on-abort') ?? options.billsOnAbort ?? false,
    tag: text(headers, 'x-fake-tag'),
  }
}

export function faultOf(name: string): Fault | null {
  if (name === 'none') return null
  const fault = FAULTS.find(known => known === name)
  if (fault === undefined) throw new Error(`x-fake-error is none or one of ${FAULTS.join(', ')}, not ${name}`)
  return fault
}

function text(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}

function number(headers: IncomingHttpHeaders, name: string): number | null {
  const value = text(headers, name)
  if (value === null) return null
  if (!/^\d{1,9}$/.test(value)) throw new Error(`${name} is a whole number, not ${value}`)
  return Number(value)
}

function flag(headers: IncomingHttpHeaders, name: string): boolean | null {
  const value = text(headers, name)
  return value === null ? null : !['0', 'false', ''].includes(value)
}
