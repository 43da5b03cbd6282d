// The shape of a recorded exchange, read with care: what is not one gets a sentence.
import type { HeaderList } from '../enforcer/exchange.ts'

export interface Recorded {
  readonly id: string
  /** Ms since the epoch; null where not recorded. */
  readonly timeMs: number | null
  readonly subject: { readonly key: string | null; readonly attributes: ReadonlyMap<string, string> } | null
  readonly request: {
    readonly method: string
    readonly host: string
    readonly path: string
    readonly headers: HeaderList
    readonly body: Buffer
  }
  readonly response: { readonly status: number; readonly headers: HeaderList; readonly body: Buffer }
}

type Json = Readonly<Record<string, unknown>>

/** The exchange of one line, or a sentence that says why it is none. */
export function parseRecorded(line: string): Recorded | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return 'it is not JSON'
  }
  if (!isObject(value)) return 'it is not an object'
  const { id, request, response } = value
  if (typeof id !== 'string') return 'id is not a string'
  if (!isObject(request) || typeof request['path'] !== 'string') return 'request has no path'
  if (!isObject(response) || !Number.isInteger(response['status'])) return 'response has no status'
  const requestBody = bodyOf(request)
  const responseBody = bodyOf(response)
  if (requestBody === null || responseBody === null) return 'a body is neither text nor base64'
  const headers = headersOf(request['headers'])
  const host = typeof request['host'] === 'string' ? request['host'] : (headers.get('host') ?? '')
  const method = typeof request['method'] === 'string' ? request['method'] : 'POST'
  const time = typeof value['time'] === 'string' ? Date.parse(value['time']) : Number.NaN
  return {
    id,
    timeMs: Number.isNaN(time) ? null : time,
    subject: subjectOf(value['subject']),
    request: { method, host, path: request['path'], headers: asDecoded(headers, request, requestBody), body: requestBody },
    response: {
      status: Number(response['status']),
      headers: asDecoded(headersOf(response['headers']), response, responseBody),
      body: responseBody,
    },
  }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

function bodyOf({ body, bodyEncoding }: Json): Buffer | null {
  if (body === undefined || body === null) return Buffer.alloc(0)
  if (typeof body !== 'string') return null
  return Buffer.from(body, bodyEncoding === 'base64' ? 'base64' : 'utf8')
}

function headersOf(value: unknown): HeaderList {
  const entries: [string, string][] = []
  if (isObject(value)) {
    for (const [name, one] of Object.entries(value)) {
      for (const text of Array.isArray(one) ? one : [one]) if (typeof text === 'string') entries.push([name.toLowerCase(), text])
    }
  }
  const getAll = (name: string): string[] => entries.filter(entry => entry[0] === name).map(entry => entry[1])
  return { get: name => getAll(name)[0] ?? null, getAll, entries: () => entries }
}

/** Recorders often decompress a body and keep its header: text, and what lacks gzip's first bytes, is taken as decompressed. */
function asDecoded(headers: HeaderList, { bodyEncoding }: Json, body: Buffer): HeaderList {
  const gzip = /gzip/i.test(headers.get('content-encoding') ?? '')
  if (bodyEncoding === 'base64' && (!gzip || body.subarray(0, 2).equals(GZIP_MAGIC))) return headers
  return {
    get: name => (name === 'content-encoding' ? null : headers.get(name)),
    getAll: name => (name === 'content-encoding' ? [] : headers.getAll(name)),
    entries: () => [...headers.entries()].filter(([name]) => name !== 'content-encoding'),
  }
}

/** RFC 1952 section 2.3.1. */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])

function subjectOf(value: unknown): Recorded['subject'] {
  if (!isObject(value)) return null
  const attributes = new Map<string, string>()
  const put = (name: string, text: unknown): void => {
    if (typeof text === 'string') attributes.set(name, text)
  }
  if (isObject(value['attributes'])) for (const [name, text] of Object.entries(value['attributes'])) put(name, text)
  put('user', value['user'])
  put('team', value['team'])
  return { key: typeof value['key'] === 'string' ? value['key'] : null, attributes }
}
