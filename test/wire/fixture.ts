// Fixtures of the wire formats: small exchanges written by hand, read from test/wire/fixtures/<format>/*.json.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Endpoint, RequestHead, ResponseHead } from '../../src/wire/format.ts'
import { findEndpoint } from '../../src/wire/formats.ts'
import { type Frame, writeFrames } from './event-frames.ts'

type Body = string | readonly string[] | Readonly<Record<string, unknown>>

/**
 * A body is an object (written as JSON), a text, a list of lines (joined by line feeds), or `{"frames": […]}`, an event stream. Whole numbers of ours are bigints:
 * write them as strings of digits in what is expected.
 */
export interface Fixture {
  readonly about: string
  readonly request: {
    readonly method?: string
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body: Body
  }
  readonly response?: { readonly status?: number; readonly headers: Readonly<Record<string, string>>; readonly body: Body }
  readonly expect: {
    /** Any fields of the Call. */
    readonly call?: Readonly<Record<string, unknown>>
    /** Instead of a call: a word of the sentence that says what is wrong. */
    readonly unreadable?: string
    readonly reading?: {
      readonly kind: 'exact' | 'partial' | 'absent'
      readonly model?: string | null
      readonly serviceTier?: string | null
      /** Null: the answer does not say. */
      readonly regional?: boolean | null
      /** Kinds that are not named are 0. */
      readonly tokens?: Readonly<Record<string, string>>
      readonly calls?: Readonly<Record<string, string>>
      /** Parts of other models. */
      readonly elsewhere?: readonly { readonly model: string; readonly tokens: Readonly<Record<string, string>> }[]
      /** Nano-USD. */
      readonly statedCost?: string | null
      readonly contradictions?: number
      readonly deltaEvents?: number
      readonly hiddenReasoning?: boolean
    }
    /** What the client gets where usage is hidden; the same bytes unless told. */
    readonly hidden?: Body
    /** The body with a bound of 77 put in and usage asked for, per provider. */
    readonly amended?: Readonly<Record<string, string>>
  }
}

const ROOT = join(import.meta.dirname, 'fixtures')

export function fixturesOf(format: string): [string, Fixture][] {
  const folder = join(ROOT, format)
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter(file => file.endsWith('.json'))
  return files.sort().map(file => [file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Fixture])
}

export const bytesOf = (body: Body): Uint8Array => (isFrames(body) ? writeFrames(body.frames) : new TextEncoder().encode(textOf(body)))

const isFrames = (body: Body): body is Body & { frames: readonly Frame[] } =>
  typeof body === 'object' && !Array.isArray(body) && 'frames' in body && Array.isArray(body['frames'])

export function textOf(body: Body): string {
  if (typeof body === 'string') return body
  if (isFrames(body)) return Buffer.from(bytesOf(body)).toString()
  return Array.isArray(body) ? body.join('\n') : JSON.stringify(body)
}

export function requestHead({ request }: Pick<Fixture, 'request'>): RequestHead {
  const [path = '', query = ''] = request.path.split('?')
  return { method: request.method ?? 'POST', path, query, header: name => request.headers?.[name] ?? null }
}

export function responseHead({ response }: Fixture): ResponseHead {
  return { status: response?.status ?? 200, header: name => response?.headers[name] ?? null }
}

export function meteredEndpoint(head: RequestHead): Extract<Endpoint, { kind: 'metered' }> {
  const endpoint = findEndpoint(head)
  if (endpoint.kind !== 'metered') throw new Error(`${head.method} ${head.path} is ${endpoint.kind}, not metered`)
  return endpoint
}

/** Cuts of a body into pieces: every split in two where it is small, and seeded random sizes. */
export function* splits(body: Uint8Array, seed: number): Generator<Uint8Array[]> {
  yield [...body].map(byte => Uint8Array.of(byte))
  const step = Math.max(1, Math.ceil(body.length / 1_500))
  for (let at = 1; at < body.length; at += step) yield [body.subarray(0, at), body.subarray(at)]
  const random = mulberry(seed)
  for (let round = 0; round < 20; round++) yield randomPieces(body, random)
}

function randomPieces(body: Uint8Array, random: () => number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  const largest = 1 + Math.floor(random() * 200)
  for (let at = 0; at < body.length; ) {
    const size = 1 + Math.floor(random() * largest)
    pieces.push(body.subarray(at, at + size))
    at += size
  }
  return pieces
}

/** A small seeded generator (mulberry32): the same pieces on every run. */
export function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
