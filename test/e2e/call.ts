// One HTTP call through the gateway and all that its client saw: status, headers, body, times, and how it ended.
import { Agent, type ClientRequest, request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'

export interface Answer {
  /** 0 where no answer came at all. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** `whole`: to its end; `aborted`: by us; `cut`: by the other side, before or within the answer. */
  readonly end: 'whole' | 'aborted' | 'cut'
  /** From the request's start to the answer's end, to its head, and to its first body byte. */
  readonly totalMs: number
  readonly headMs: number
  readonly firstByteMs: number
  /** When each piece of the body came, ms after the start. */
  readonly pieceMs: readonly number[]
}

export interface CallSetting {
  readonly port: number
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Sends the body, in place of `body`, and ends the request. */
  readonly send?: (request: ClientRequest) => void
  readonly agent?: Agent
  /** PEM texts: whose certificate the server must have, and what is shown to it. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string }
  /** Hang up as soon as this many bytes of the body have come. */
  readonly abortAfterBytes?: number
  /** Hang up as soon as the body so far satisfies this. */
  readonly abortWhen?: (bodySoFar: string) => boolean
  readonly timeoutMs?: number
}

/** As many connections as there are calls at once, kept and used again. */
export const manyConnections = (): Agent => new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

/** Makes a call. Never rejects: a connection that breaks is an answer too. */
export function call(setting: CallSetting): Promise<Answer> {
  const started = performance.now()
  const since = (): number => performance.now() - started
  return new Promise(resolve => {
    let [status, headMs, firstByteMs] = [0, Number.NaN, Number.NaN]
    let headers: Record<string, string> = {}
    let [body, aborted, finished] = ['', false, false]
    const pieceMs: number[] = []
    const finish = (end: Answer['end']): void => {
      if (finished) return
      finished = true
      resolve({ status, headers, body, end: aborted ? 'aborted' : end, totalMs: since(), headMs, firstByteMs, pieceMs })
    }
    const request = setting.tls === undefined ? plainRequest : secureRequest
    const sent: ClientRequest = request({
      ...setting.tls,
      host: '127.0.0.1',
      port: setting.port,
      method: setting.method ?? 'POST',
      path: setting.path,
      headers: { ...(setting.body === undefined ? {} : { 'content-length': Buffer.byteLength(setting.body) }), ...setting.headers },
      ...(setting.agent === undefined ? {} : { agent: setting.agent }),
    })
    sent.setTimeout(setting.timeoutMs ?? 90_000, () => sent.destroy())
    sent.on('error', () => finish('cut'))
    sent.on('response', response => {
      status = response.statusCode ?? 0
      headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]))
      headMs = since()
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        if (body === '') firstByteMs = since()
        pieceMs.push(since())
        body += piece
        if (body.length >= (setting.abortAfterBytes ?? Number.POSITIVE_INFINITY) || setting.abortWhen?.(body) === true) {
          aborted = true
          sent.destroy()
        }
      })
      response.on('end', () => finish(response.complete ? 'whole' : 'cut'))
      response.on('close', () => finish('cut'))
      response.on('error', () => finish('cut'))
    })
    sent.on('close', () => finish('cut'))
    if (setting.send === undefined) sent.end(setting.body)
    else setting.send(sent)
  })
}

/** The value below which a share of the numbers lies; NaN for none. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.filter(number => !Number.isNaN(number)).toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
