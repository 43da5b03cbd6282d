// What a request to the API came to where it came to nothing: a value that says why, and whether trying again needs anything.
import type { ApiAnswer } from './api.ts'

export interface Failure {
  readonly kind: 'failed'
  /** One line for an operator. */
  readonly why: string
  /** The HTTP status, null where there was no answer. */
  readonly status: number | null
  readonly retryAfterMs: number | null
}

const WHY_CHARS_MAX = 300
const BODY_BYTES_MAX = 65_536

/** The failure of an answer that is not 200; reads what its body says. */
export async function failureOf({ status, retryAfterMs, body }: ApiAnswer): Promise<Failure> {
  const text = await textOf(body, BODY_BYTES_MAX).catch(() => '')
  const why = status === 404 ? 'not found: are the CRDs of the chart applied?' : `${status} ${messageOf(text)}`
  return { kind: 'failed', why: oneLine(why), status, retryAfterMs }
}

/** The failure of a request that broke. */
export function brokenBy(error: unknown): Failure {
  const why = error instanceof Error ? error.message || ('code' in error ? String(error.code) : error.name) : String(error)
  return { kind: 'failed', why: oneLine(why), status: null, retryAfterMs: null }
}

/** The whole body as text. Throws where it is longer than `bytesMax`. */
export async function textOf(body: ApiAnswer['body'], bytesMax: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The sentence of a Status object, else the text itself. */
function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' ? message : text
  } catch {
    return text
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, WHY_CHARS_MAX)
