// The API as a test speaks it: one request, one answer, as whoever holds the token. Nothing is retried.
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'

export interface Answer {
  readonly status: number
  /** Parsed where it is JSON, else its text. */
  readonly body: unknown
}

export interface Client {
  get(path: string): Promise<Answer>
  /** A text is sent as YAML, as it stands; anything else as JSON. */
  post(path: string, body: unknown): Promise<Answer>
  put(path: string, body: unknown): Promise<Answer>
  /** A merge patch. */
  patch(path: string, body: unknown): Promise<Answer>
  delete(path: string): Promise<Answer>
  close(): void
}

/** A client of the server at `url`, whose certificate is in `caFile`. */
export function createClient({ url, caFile, token }: { readonly url: string; readonly caFile: string; readonly token: string }): Client {
  const agent = new Agent({ ca: readFileSync(caFile), keepAlive: true, maxSockets: 16 })
  const ask = (method: string, path: string, body?: unknown, type?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const contentType = type ?? (typeof body === 'string' ? 'application/yaml' : 'application/json')
      const headers = { authorization: `Bearer ${token}`, accept: 'application/json', 'content-type': contentType }
      const sent = request(new URL(path, url), { method, agent, headers }, answer => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: parsed(Buffer.concat(chunks).toString()) }))
      })
      sent.on('error', reject)
      sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
    })
  return {
    get: path => ask('GET', path),
    post: (path, body) => ask('POST', path, body),
    put: (path, body) => ask('PUT', path, body),
    patch: (path, body) => ask('PATCH', path, body, 'application/merge-patch+json'),
    delete: path => ask('DELETE', path),
    close: () => agent.destroy(),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
