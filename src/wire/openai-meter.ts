// The meter of OpenAI-shaped answers, JSON or a stream of events. Decides when a report is final; passes every byte on but a hidden usage chunk.
import type { Call } from '../core/call.ts'
import { inputTotal, outputTotal, type Usage, type UsageReading } from '../core/usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { JsonScanner } from './json.ts'
import { searchesByItself } from './model-traits.ts'
import { OpenAiAnswer } from './openai-answer.ts'
import { hidesReasoning } from './reasoning.ts'
import { type SseBlock, SseSieve } from './sse.ts'
import { isDone } from './sse-lines.ts'

export function openOpenAiMeter(call: Call, response: ResponseHead, hideUsage: boolean): Meter {
  return isEventStream(call, response) ? new StreamMeter(call, hideUsage) : jsonMeter(call)
}

/** By the answer's own word; a type that says neither is taken for what was asked. */
export function isEventStream(call: Call, response: ResponseHead): boolean {
  const type = response.header('content-type')?.toLowerCase() ?? ''
  return type.includes('event-stream') || (call.streaming && !type.includes('json'))
}

function jsonMeter(call: Call): Meter {
  const answer = new OpenAiAnswer()
  return openDocumentMeter(answer.place(), ({ ended, broken }) => {
    const { usage, whole } = answer
    if (whole && usage !== null && !broken) return { kind: 'exact', usage: withCalls(usage, call) }
    const delivered = deliveredOf(call, answer, answer.delivered > 0 ? 1 : 0)
    return ended ? { kind: 'absent', delivered } : { kind: 'partial', usage: null, delivered }
  })
}

class StreamMeter implements Meter {
  readonly #call: Call
  readonly #answer = new OpenAiAnswer()
  readonly #scanner = new JsonScanner(this.#answer.place())
  readonly #sieve: SseSieve
  /** The largest report so far: what an answer that is cut has cost at least. */
  #largest: Usage | null = null
  #deltaEvents = 0
  #done = false
  #ended = false
  #error = false
  /** A report came with or after the end of the output, not as progress in between (vLLM's continuous usage). */
  #final = false
  #finished = false

  constructor(call: Call, hideUsage: boolean) {
    this.#call = call
    this.#sieve = new SseSieve(block => this.#block(block), hideUsage)
  }

  push(piece: Uint8Array): Uint8Array | null {
    return this.#sieve.push(piece)
  }

  end(): Uint8Array | null {
    const rest = this.#sieve.end()
    this.#ended = true
    return rest
  }

  reading(): UsageReading {
    const { usage } = this.#answer
    const over = this.#done || this.#ended
    const final = this.#final || (this.#done && !this.#error)
    if (over && usage !== null && final) return { kind: 'exact', usage: withCalls(usage, this.#call) }
    const delivered = deliveredOf(this.#call, this.#answer, this.#deltaEvents)
    const whole = over && !this.#error && (this.#done || this.#largest === null)
    return whole ? { kind: 'absent', delivered } : { kind: 'partial', usage: this.#largest, delivered }
  }

  #block(block: SseBlock): 'pass' | 'drop' {
    if (block.kind === 'other') return 'pass'
    if (block.kind === 'unread') {
      this.#answer.text.addUnread(block.raw.length)
      if (block.last) this.#deltaEvents++
      return 'pass'
    }
    if (isDone(block.data)) this.#done = true
    else if (this.#chunk(block.data, block.name)) return 'drop'
    return 'pass'
  }

  /** Reads one chunk; true if it carries usage and nothing else, as it does where usage was asked for. */
  #chunk(bytes: Uint8Array, name: string): boolean {
    const answer = this.#answer
    const before = answer.delivered
    answer.begin()
    this.#scanner.reset()
    this.#scanner.push(bytes)
    this.#scanner.end()
    const { usage, error, finished, choices } = answer.seen
    if (answer.delivered > before) this.#deltaEvents++
    if (finished) this.#finished = true
    if (error || name === 'error') this.#error = true
    if (!usage || !answer.whole) return false
    if (this.#finished || error || !choices) this.#final = true
    const { usage: reported } = answer
    if (reported !== null && (this.#largest === null || sizeOf(reported) >= sizeOf(this.#largest))) this.#largest = reported
    return choices === 0 && !error
  }
}

const sizeOf = (usage: Usage): bigint => inputTotal(usage.tokens) + outputTotal(usage.tokens)

/** A model that searches on every call is billed for one search (OpenAI's pricing page); its report does not say so. */
function withCalls(usage: Usage, call: Call): Usage {
  const searched = searchesByItself(usage.model ?? '') || call.models.some(searchesByItself)
  return searched ? { ...usage, calls: new Map([...usage.calls, ['web_search', 1n]]) } : usage
}

function deliveredOf(call: Call, answer: OpenAiAnswer, deltaEvents: number): Extract<UsageReading, { kind: 'absent' }>['delivered'] {
  const model = answer.model ?? call.models[0] ?? ''
  return { text: answer.size(), deltaEvents, hiddenReasoning: hidesReasoning(model), model: answer.model }
}
