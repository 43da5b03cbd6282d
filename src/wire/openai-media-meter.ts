// The meter of answers that hold or describe images and sound: JSON, events, plain text, or bytes. Decides when a report is final; keeps no content.
import { type Call, NO_TEXT, textBytes } from '../core/call.ts'
import { addTokens, type Usage, type UsageReading } from '../core/usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import { type EventAnswer, openEventMeter } from './event-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { OpenAiMediaAnswer } from './openai-media-answer.ts'
import { isEventStream } from './openai-meter.ts'
import { RawText } from './raw-text.ts'
import { TextTally } from './text-tally.ts'

/** What tells one kind of these answers from another. */
export interface MediaShape {
  /** The type of the event that brings a report. */
  readonly ends: RegExp
  /** How many such events end a stream: one a picture. */
  readonly endings: bigint
  /** What the output's tokens are where the report does not part them; null: text, which shows in the answer. */
  readonly output: 'outputImage' | 'outputAudio' | null
}

export function openMediaMeter(call: Call, response: ResponseHead, shape: MediaShape): Meter {
  if (isEventStream(call, response)) return streamMeter(shape)
  const type = response.header('content-type')?.toLowerCase() ?? 'application/json'
  if (type.includes('json')) return jsonMeter(shape)
  return new BytesMeter(shape, type.startsWith('text/') || type.includes('subrip'))
}

type DeliveredNow = Extract<UsageReading, { kind: 'absent' }>['delivered']

function jsonMeter(shape: MediaShape): Meter {
  const answer = new OpenAiMediaAnswer()
  return openDocumentMeter(answer.answerPlace(), ({ ended, broken }) => {
    const { usage, whole } = answer
    if (whole && usage !== null && !broken) return { kind: 'exact', usage: parted(usage, shape) }
    const seen = { ...answer.delivered(shape.output !== null), deltaEvents: textBytes(answer.text) > 0 ? 1 : 0 }
    return ended ? { kind: 'absent', delivered: seen } : { kind: 'partial', usage: null, delivered: seen }
  })
}

function streamMeter(shape: MediaShape): Meter {
  const answer = new OpenAiMediaAnswer()
  return openEventMeter(answer.eventPlace(), new Events(shape, answer))
}

class Events implements EventAnswer {
  readonly #shape: MediaShape
  readonly #answer: OpenAiMediaAnswer
  /** The reports of all pictures so far. */
  #usage: Usage | null = null
  #endings = 0n
  #error = false
  #before = 0

  constructor(shape: MediaShape, answer: OpenAiMediaAnswer) {
    this.#shape = shape
    this.#answer = answer
  }

  reading(ended: boolean): UsageReading {
    const delivered = this.#answer.delivered(this.#shape.output !== null)
    const over = this.#endings >= this.#shape.endings
    if ((over || (ended && !this.#error)) && this.#usage !== null) return { kind: 'exact', usage: this.#usage }
    if ((over || ended) && this.#usage === null && !this.#error) return { kind: 'absent', delivered }
    return { kind: 'partial', usage: this.#usage, delivered }
  }

  eventBegins(): boolean {
    if (this.#endings >= this.#shape.endings) return false
    this.#before = textBytes(this.#answer.text)
    this.#answer.begin()
    return true
  }

  eventUnread(bytes: number): void {
    // Payloads do not tell what they cost; where only text comes, all that is unread may be text.
    if (this.#shape.output === null) this.#answer.text.addUnread(bytes)
  }

  eventEnds(): void {
    const answer = this.#answer
    if (textBytes(answer.text) > this.#before || answer.brought) answer.deltaEvents++
    if (!answer.whole) return
    if (answer.failed) this.#error = true
    if (!this.#shape.ends.test(answer.type)) return
    this.#endings++
    if (answer.usage !== null) this.#usage = added(this.#usage, parted(answer.usage, this.#shape))
  }
}

/** Sound and pictures as they are, and text without anything around it: no report can be in them. */
class BytesMeter implements Meter {
  readonly #hidden: boolean
  readonly #text: RawText | null
  readonly #tally = new TextTally()
  #came = false
  #ended = false

  constructor({ output }: MediaShape, isText: boolean) {
    this.#hidden = output !== null
    this.#text = isText && !this.#hidden ? new RawText(this.#tally) : null
  }

  push(piece: Uint8Array): null {
    this.#came ||= piece.length > 0
    this.#text?.add(piece)
    return null
  }

  end(): null {
    this.#ended = true
    return null
  }

  reading(): UsageReading {
    const text = this.#text === null ? NO_TEXT : this.#tally.size()
    const delivered: DeliveredNow = { text, deltaEvents: this.#came ? 1 : 0, hiddenReasoning: this.#hidden, model: null }
    return this.#ended ? { kind: 'absent', delivered } : { kind: 'partial', usage: null, delivered }
  }
}

/** Where a report does not part its output, all of it is what the endpoint makes: which costs more than text. */
function parted(usage: Usage, { output }: MediaShape): Usage {
  const { tokens } = usage
  if (output === null || tokens.outputImage > 0n || tokens.outputAudio > 0n) return usage
  return { ...usage, tokens: { ...tokens, output: 0n, [output]: tokens.output } }
}

/** Each event reports its own picture. */
function added(sum: Usage | null, one: Usage): Usage {
  if (sum === null) return one
  return { ...one, tokens: addTokens(sum.tokens, one.tokens), contradictions: [...sum.contradictions, ...one.contradictions] }
}
