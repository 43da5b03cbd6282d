// What a request asks of the fake provider, read as the real ones read it: with their errors for what they refuse.
import type { IncomingHttpHeaders } from 'node:http'

export type Api = 'chat' | 'completions' | 'embeddings' | 'responses' | 'messages'

export interface Asked {
  readonly api: Api
  /** As the client spelt it; of an Azure path, the deployment. */
  readonly model: string
  readonly azure: boolean
  readonly stream: boolean
  readonly includeUsage: boolean
  /** The bound on one choice, null for none. */
  readonly bound: number | null
  readonly choices: number
  /** Items of an embedding. */
  readonly items: number
  readonly promptTokens: number
  readonly body: Readonly<Record<string, unknown>>
}

/** A refusal of the provider's own. */
export interface Complaint {
  readonly status: 400 | 404
  readonly message: string
}

const ENDPOINTS: readonly (readonly [RegExp, Api])[] = [
  [/\/chat\/completions$/, 'chat'],
  [/\/completions$/, 'completions'],
  [/\/embeddings$/, 'embeddings'],
  [/\/responses$/, 'responses'],
  [/\/messages$/, 'messages'],
]

export const apiOf = (path: string): Api | null => ENDPOINTS.find(([suffix]) => suffix.test(path))?.[1] ?? null

/** `path` without its query. */
export function readAsked(api: Api, path: string, text: string): Asked | Complaint {
  const body = parse(text)
  if (body === null) return { status: 400, message: 'We could not parse the JSON body of your request.' }
  const deployment = /\/deployments\/([^/]+)\//.exec(path)?.[1]
  const model = deployment === undefined ? body['model'] : decodeURIComponent(deployment)
  if (typeof model !== 'string' || model === '') return { status: 400, message: 'you must provide a model parameter' }
  const bounds = BOUNDS[api].map(name => body[name]).filter(value => value !== undefined && value !== null)
  const bad = bounds.find(value => typeof value !== 'number' || !Number.isInteger(value) || value < (api === 'messages' ? 0 : 1))
  if (bad !== undefined) return { status: 400, message: `Invalid value for the output bound: ${JSON.stringify(bad)}` }
  if (api === 'messages' && bounds.length === 0) return { status: 400, message: 'max_tokens: Field required' }
  const declared = bounds.length === 0 ? null : Math.max(...(bounds as number[]))
  return {
    api,
    model,
    azure: deployment !== undefined,
    stream: body['stream'] === true && api !== 'embeddings',
    includeUsage: isObject(body['stream_options']) && body['stream_options']['include_usage'] === true,
    bound: declared ?? (api === 'completions' ? 16 : null),
    choices: choicesOf(api, body),
    items: Array.isArray(body['input']) ? body['input'].length : 1,
    promptTokens: Math.ceil(charactersOf(PROMPTS[api].map(name => body[name])) / 4) + 3,
    body,
  }
}

/** The credential that a request is billed to: without `Bearer`, `(none)` where there is none. */
export function keyOf(headers: IncomingHttpHeaders): string {
  const [value] = [headers.authorization, headers['x-api-key'], headers['api-key']].filter(found => found !== undefined)
  return (Array.isArray(value) ? value[0] : value)?.replace(/^Bearer +/i, '') ?? '(none)'
}

const BOUNDS: Readonly<Record<Api, readonly string[]>> = {
  chat: ['max_completion_tokens', 'max_tokens'],
  completions: ['max_tokens'],
  embeddings: [],
  responses: ['max_output_tokens'],
  messages: ['max_tokens'],
}

const PROMPTS: Readonly<Record<Api, readonly string[]>> = {
  chat: ['messages', 'tools'],
  completions: ['prompt'],
  embeddings: ['input'],
  responses: ['input', 'instructions', 'tools'],
  messages: ['system', 'messages', 'tools'],
}

/** Prompts of an array each give `n` choices; a list of numbers is one prompt. */
function choicesOf(api: Api, body: Readonly<Record<string, unknown>>): number {
  const n = typeof body['n'] === 'number' && body['n'] >= 1 ? Math.floor(body['n']) : 1
  if (api === 'chat') return n
  if (api !== 'completions') return 1
  const prompts = Array.isArray(body['prompt']) && typeof body['prompt'][0] !== 'number' ? Math.max(1, body['prompt'].length) : 1
  return n * prompts
}

function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + charactersOf(one), 0)
  if (isObject(value)) return Object.values(value).reduce((sum: number, one) => sum + charactersOf(one), 0)
  return typeof value === 'number' ? 4 : 0
}

function parse(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
