// Answers one call over HTTP: the delay, the pace of a stream, the faults, and the moment at which the provider bills.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, createGzip, type Gzip, gzipSync } from 'node:zlib'
import { MESSAGES } from './anthropic-messages.ts'
import type { Api, Asked } from './asked.ts'
import type { Bill } from './bill.ts'
import { CHAT } from './openai-chat.ts'
import { COMPLETIONS } from './openai-completions.ts'
import { EMBEDDINGS } from './openai-embeddings.ts'
import { RESPONSES } from './openai-responses.ts'
import type { Behaviour } from './settings.ts'
import { type Answer, type EventStream, letters, type Shape } from './shape.ts'

const SHAPES: Readonly<Record<Api, Shape>> = {
  chat: CHAT,
  completions: COMPLETIONS,
  embeddings: EMBEDDINGS,
  responses: RESPONSES,
  messages: MESSAGES,
}

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly asked: Asked
  readonly behaviour: Behaviour
  readonly key: string
  /** The name in the price list, and the one that answers tell. */
  readonly model: { readonly listed: string; readonly told: string }
  readonly bill: Bill
  /** Called once, when neither an answer nor a charge is to come any more. */
  over(): void
}

/** Answers the exchange in its own time. */
export function answerCall(exchange: Exchange): void {
  const answer = answerOf(exchange)
  const { fault, delayMs } = exchange.behaviour
  if (fault === 'hang') {
    charge(exchange, answer.inputTokens, 0, fault)
    exchange.response.once('close', exchange.over)
    return
  }
  const start = () => begin(exchange, answer)
  if (exchange.asked.stream && !exchange.behaviour.billsOnAbort && !isStatus(fault)) startUnlessLeft(exchange, answer, delayMs, start)
  else if (delayMs === 0) start()
  else setTimeout(start, delayMs)
}

/** A stream that is left before its first byte costs its prompt. */
function startUnlessLeft(exchange: Exchange, answer: Answer, delayMs: number, start: () => void): void {
  const left = () => {
    clearTimeout(timer)
    charge(exchange, answer.inputTokens, 0, 'aborted')
    exchange.over()
  }
  const timer = setTimeout(() => {
    exchange.response.off('close', left)
    start()
  }, delayMs)
  exchange.response.once('close', left)
}

function begin(exchange: Exchange, answer: Answer): void {
  const { asked, behaviour, response } = exchange
  const { fault } = behaviour
  if (isStatus(fault)) {
    refuse(response, asked.api, Number(fault), '')
    exchange.over()
  } else if (fault === 'error-in-stream' && !asked.stream) {
    refuse(response, asked.api, 500, '')
    exchange.over()
  } else if (fault === 'reset') {
    charge(exchange, answer.inputTokens, 0, fault)
    response.socket?.resetAndDestroy()
    exchange.over()
  } else if (asked.stream) {
    stream(exchange, answer)
  } else {
    sendJson(exchange, answer)
  }
}

const isStatus = (fault: string | null): boolean => fault !== null && /^\d{3}$/.test(fault)

/** An error answer: never billed. An empty message stands for the usual one of its status. */
export function refuse(response: ServerResponse, api: Api, status: number, message: string): void {
  const shape = SHAPES[api]
  const again = status === 429 || status === 503 ? { 'retry-after': '1' } : {}
  response.writeHead(status, { 'content-type': 'application/json', ...shape.headers, ...again })
  response.end(shape.error(status, message))
}

/** Billed in full once generated, whether or not anybody is there to read it. */
function sendJson(exchange: Exchange, answer: Answer): void {
  const { response, behaviour, asked } = exchange
  const { fault } = behaviour
  charge(exchange, answer.inputTokens, answer.outputTokens, fault ?? (response.closed ? 'aborted' : 'whole'))
  exchange.over()
  if (response.closed) return
  const text = SHAPES[asked.api].json(answer)
  const whole = behaviour.gzip ? gzipSync(text) : Buffer.from(text)
  response.writeHead(200, headersOf(exchange, 'application/json'))
  if (fault === 'truncated') response.end(whole.subarray(0, whole.length >> 1))
  else if (fault === 'reset-mid-stream') response.write(whole.subarray(0, whole.length >> 1), () => response.socket?.destroySoon())
  else response.end(whole)
}

/** Token by token, each when its time has come; those that are late go out together. Billed as far as it was sent, once it ends. */
function stream(exchange: Exchange, answer: Answer): void {
  const { response, behaviour } = exchange
  const events = SHAPES[exchange.asked.api].stream(answer)
  const stopAt = ['error-in-stream', 'reset-mid-stream', 'truncated'].includes(behaviour.fault ?? '')
    ? answer.outputTokens >> 1
    : answer.outputTokens
  response.writeHead(200, headersOf(exchange, 'text/event-stream; charset=utf-8'))
  const out = behaviour.gzip ? gzipInto(response) : response
  const startedMs = performance.now()
  let sent = 0
  let left = false
  let timer: NodeJS.Timeout | null = null
  const finish = (outcome: string) => {
    if (timer !== null) clearTimeout(timer)
    response.off('close', onClose)
    charge(exchange, answer.inputTokens, behaviour.billsOnAbort ? answer.outputTokens : sent, outcome)
    exchange.over()
  }
  const onClose = () => {
    left = true
    finish('aborted')
  }
  response.once('close', onClose)
  const tick = () => {
    if (left) return
    let text = sent === 0 ? events.before : ''
    const due = behaviour.chunkDelayMs === 0 ? stopAt : Math.floor((performance.now() - startedMs) / behaviour.chunkDelayMs) + 1
    while (sent < Math.min(due, stopAt)) text += events.token(sent++)
    if (sent < stopAt) {
      out.write(text)
      flushed(out, () => undefined)
      timer = setTimeout(tick, Math.max(1, startedMs + sent * behaviour.chunkDelayMs - performance.now()))
      return
    }
    end(exchange, events, text, out, sent)
    finish(behaviour.fault ?? 'whole')
  }
  tick()
}

function end(exchange: Exchange, events: EventStream, text: string, out: ServerResponse | Gzip, sent: number): void {
  const { fault } = exchange.behaviour
  if (fault === 'error-in-stream') out.end(text + events.failure(sent))
  else if (fault === 'truncated') out.end(text)
  else if (fault === 'reset-mid-stream') out.write(text, () => flushed(out, () => exchange.response.socket?.destroySoon()))
  else out.end(text + events.after)
}

/** What was written goes on its way, then `then`. */
function flushed(out: ServerResponse | Gzip, then: () => void): void {
  if ('flush' in out) out.flush(constants.Z_SYNC_FLUSH, then)
  else then()
}

function gzipInto(response: ServerResponse): Gzip {
  const gzip = createGzip()
  gzip.pipe(response)
  return gzip
}

function headersOf(exchange: Exchange, contentType: string): Record<string, string> {
  return {
    'content-type': contentType,
    ...SHAPES[exchange.asked.api].headers,
    'x-request-id': `req_${letters(24)}`,
    ...(exchange.behaviour.gzip ? { 'content-encoding': 'gzip' } : {}),
  }
}

function answerOf({ asked, behaviour, model }: Exchange): Answer {
  const free = asked.api === 'embeddings' ? 0 : behaviour.outputTokens
  const perChoice = Math.min(free, asked.bound ?? free)
  const { fault } = behaviour
  return {
    asked,
    model: model.told,
    id: letters(29),
    created: Math.floor(Date.now() / 1_000),
    inputTokens: behaviour.inputTokens ?? asked.promptTokens,
    outputTokens: perChoice * asked.choices,
    cut: asked.bound !== null && asked.bound <= free && asked.api !== 'embeddings',
    usage: fault === 'no-usage' ? 'missing' : fault === 'wrong-usage' ? 'contradictory' : 'right',
  }
}

function charge({ bill, asked, key, model, behaviour }: Exchange, inputTokens: number, outputTokens: number, outcome: string): void {
  const { api, stream: streamed } = asked
  bill.charge({ key, tag: behaviour.tag, model: model.listed, api, stream: streamed, inputTokens, outputTokens, outcome })
}
