// Requests that no honest client sends, each with the refusal that the documentation promises for it.
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { KEY } from './policies.ts'

export interface Hostile {
  readonly name: string
  readonly method?: string
  readonly path?: string
  /** Replaces the usual headers (JSON, and a good key). */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly status: number
  /** `x-purser-reason`; null where Envoy refuses by itself, before anything is asked of Purser. */
  readonly reason: string | null
}

export const GOOD_HEADERS: Readonly<Record<string, string>> = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }

const OTHER_KEY = `psk_${Buffer.alloc(32, 9).toString('base64url')}`
const MESSAGES = '"messages":[{"role":"user","content":"hello"}]'
const chat = (fields: string): string => `{"model":"gpt-4o",${fields},${MESSAGES}}`
const withHeaders = (more: Readonly<Record<string, string>>): Record<string, string> => ({ ...GOOD_HEADERS, ...more })
const unreadable = (name: string, body: string | Uint8Array): Hostile => ({ name, body, status: 400, reason: 'unreadable' })
const neverFits = (name: string, body: string | Uint8Array): Hostile => ({ name, body, status: 403, reason: 'never-fits' })
const noPrice = (name: string, model: string): Hostile => ({
  name,
  body: `{"model":${JSON.stringify(model)},"max_tokens":10,${MESSAGES}}`,
  status: 403,
  reason: 'no-price',
})
const key = (name: string, headers: Readonly<Record<string, string>>, reason: string): Hostile => ({
  name,
  headers: { 'content-type': 'application/json', ...headers },
  body: chat('"max_tokens":10'),
  status: 401,
  reason,
})
const unknownEndpoint = (name: string, path: string, method = 'POST'): Hostile => ({
  name,
  path,
  method,
  ...(method === 'POST' ? { body: chat('"max_tokens":10') } : {}),
  status: 403,
  reason: 'unknown-endpoint',
})

/** Made once a run: the large ones are megabytes. */
export function hostileRequests(): readonly Hostile[] {
  return [...broken(), ...wrongFields(), ...tooMuch(), ...elsewhere(), ...keys(), ...encoded()]
}

function broken(): Hostile[] {
  return [
    unreadable('an empty body', ''),
    unreadable('only spaces', '   \n\t '),
    unreadable('JSON cut short', '{"model":"gpt-4o","messages":[{"role":"us'),
    unreadable('JSON with more behind it', `${chat('"max_tokens":10')}{"model":"gpt-4o"}`),
    unreadable('a trailing comma', '{"model":"gpt-4o","max_tokens":10,}'),
    unreadable('single quotes', "{'model':'gpt-4o'}"),
    unreadable('an array', '[1,2,3]'),
    unreadable('a string', '"gpt-4o"'),
    unreadable('a number', '42'),
    unreadable('null', 'null'),
    unreadable('random bytes', randomBytes(4_096)),
    unreadable('NUL bytes', Buffer.alloc(1_024)),
    unreadable(
      'invalid UTF-8 in a string',
      Buffer.concat([Buffer.from('{"model":"gpt-4o","user":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from(`",${MESSAGES}}`)]),
    ),
    unreadable('a line break inside a string', `{"model":"gpt-4o","user":"a\nb",${MESSAGES}}`),
    unreadable('an unknown escape', `{"model":"gpt-4o","user":"\\q",${MESSAGES}}`),
    unreadable('100,000 arrays in each other', '['.repeat(100_000)),
    unreadable('100,000 objects in each other', `{"model":"gpt-4o","a":${'{"a":'.repeat(100_000)}`),
    unreadable('a form', 'model=gpt-4o&max_tokens=10'),
    unreadable('the model twice', `{"model":"gpt-4o-mini","model":"gpt-4o","max_tokens":10,${MESSAGES}}`),
    unreadable('the bound twice', `{"model":"gpt-4o","max_tokens":10,"max_tokens":1000000,${MESSAGES}}`),
  ]
}

function wrongFields(): Hostile[] {
  return [
    unreadable('no model', `{"max_tokens":10,${MESSAGES}}`),
    unreadable('the model is a number', `{"model":4,${MESSAGES}}`),
    unreadable('the model is null', `{"model":null,${MESSAGES}}`),
    unreadable('the model is an array', `{"model":["gpt-4o"],${MESSAGES}}`),
    unreadable('the model is empty', `{"model":"",${MESSAGES}}`),
    unreadable('a negative bound', chat('"max_tokens":-1')),
    unreadable('a negative bound under an escaped name', chat('"max_\\u0074okens":-1')),
    unreadable('a fractional bound', chat('"max_tokens":10.5')),
    unreadable('the bound is a string', chat('"max_tokens":"10"')),
    unreadable('the bound is an object', chat('"max_tokens":{}')),
    unreadable('the bound is 1e400', chat('"max_tokens":1e400')),
    unreadable('a bound of 100,000 digits', chat(`"max_tokens":${'9'.repeat(100_000)}`)),
    unreadable('a negative number of choices', chat('"n":-3')),
    unreadable('the choices are a string', chat('"n":"3"')),
    unreadable('streaming is a string', chat('"stream":"yes"')),
    noPrice('an unknown model', 'gpt-none-such'),
    unreadable('a model of 100,000 characters', `{"model":"${'x'.repeat(100_000)}",${MESSAGES}}`),
    noPrice('a model named __proto__', '__proto__'),
    noPrice('a model with control characters', 'gpt-4o\u0000\r\nx-evil: 1'),
    noPrice('a model in another script', 'ｇｐｔ－４ｏ'),
  ]
}

function tooMuch(): Hostile[] {
  return [
    neverFits('a bound of a billion tokens', chat('"max_tokens":1000000000')),
    neverFits('both bounds, the larger one counts', chat('"max_tokens":10,"max_completion_tokens":900000')),
    neverFits('a hundred thousand choices', chat('"max_tokens":1000,"n":100000')),
    neverFits(
      '20 MB in one string',
      `{"model":"gpt-4o","max_tokens":10,"messages":[{"role":"user","content":"${'a'.repeat(20_000_000)}"}]}`,
    ),
    { name: '40 MB', body: Buffer.alloc(40_000_000, 0x20), status: 413, reason: null },
  ]
}

function elsewhere(): Hostile[] {
  return [
    unknownEndpoint('an unknown path', '/v1/none/such'),
    unknownEndpoint('the root', '/'),
    unknownEndpoint('a path of 8 KB', `/v1/${'a'.repeat(8_000)}`),
    { name: 'an escaped slash in the path', path: '/v1/chat%2Fcompletions', body: chat('"max_tokens":10'), status: 400, reason: null },
    unknownEndpoint('PUT where POST is meant', '/v1/chat/completions', 'PUT'),
    unknownEndpoint('DELETE', '/v1/chat/completions', 'DELETE'),
    {
      name: 'a WebSocket',
      method: 'GET',
      path: '/v1/realtime',
      headers: {
        authorization: `Bearer ${KEY}`,
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        'sec-websocket-version': '13',
      },
      status: 403,
      reason: 'upgrade',
    },
    {
      name: 'a stored conversation, for which the whole context is reserved',
      path: '/v1/responses',
      body: '{"model":"gpt-4o","max_output_tokens":10,"previous_response_id":"resp_1","input":"go on"}',
      status: 403,
      reason: 'never-fits',
    },
    {
      name: 'a tool that the provider runs by itself',
      path: '/v1/responses',
      body: '{"model":"gpt-4o","max_output_tokens":10,"tools":[{"type":"web_search"}],"input":"look"}',
      status: 403,
      reason: 'server-tools',
    },
  ]
}

function keys(): Hostile[] {
  return [
    key('no key', {}, 'key-required'),
    key('a key that nobody holds', { authorization: `Bearer ${OTHER_KEY}` }, 'unknown-key'),
    key('two keys', { authorization: `Bearer ${KEY}`, 'x-api-key': OTHER_KEY }, 'two-keys'),
    key('a key of 8 KB', { authorization: `Bearer psk_${'A'.repeat(8_192)}` }, 'unknown-key'),
    key('a key with a wrong last letter', { authorization: `Bearer ${KEY.slice(0, -1)}-` }, 'unknown-key'),
    { ...key('a key in the URL', {}, 'key-in-url'), path: `/v1/chat/completions?api_key=${KEY}` },
  ]
}

function encoded(): Hostile[] {
  const bomb = gzipSync(Buffer.alloc(100_000_000, 0x20))
  return [
    { name: 'a gzip bomb', headers: withHeaders({ 'content-encoding': 'gzip' }), body: bomb, status: 413, reason: 'too-large' },
    {
      name: 'gzip cut short',
      headers: withHeaders({ 'content-encoding': 'gzip' }),
      body: gzipSync(chat('"max_tokens":10')).subarray(0, 40),
      status: 400,
      reason: 'unreadable',
    },
    {
      name: 'gzip that is none',
      headers: withHeaders({ 'content-encoding': 'gzip' }),
      body: chat('"max_tokens":10'),
      status: 400,
      reason: 'unreadable',
    },
    {
      name: 'an unknown encoding',
      headers: withHeaders({ 'content-encoding': 'rot13' }),
      body: chat('"max_tokens":10'),
      status: 400,
      reason: 'unreadable',
    },
    {
      name: 'ten encodings',
      headers: withHeaders({ 'content-encoding': Array(10).fill('gzip').join(', ') }),
      body: bomb,
      status: 400,
      reason: 'unreadable',
    },
  ]
}
