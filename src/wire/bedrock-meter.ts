// The meter of Bedrock's answers, JSON or an event stream, of Converse and InvokeModel alike. Decides when a report is final; changes no byte.

import { type Call, textBytes } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { CAPTURE_BYTES_MAX } from '../limits.ts'
import { BedrockAnswer } from './bedrock-answer.ts'
import { decodeBase64 } from './bedrock-base64.ts'
import { openDocumentMeter } from './document-meter.ts'
import { type EventFrame, EventStreamParser } from './event-stream.ts'
import type { Meter, ResponseHead } from './format.ts'
import { JsonScanner } from './json.ts'
import { members, type Scalar } from './json-place.ts'

export function openBedrockMeter(call: Call, response: ResponseHead): Meter {
  const type = response.header('content-type')?.toLowerCase() ?? ''
  const streams = type.includes('eventstream') || (call.streaming && !type.includes('json'))
  return streams ? new StreamMeter(call, response) : jsonMeter(call, response)
}

function jsonMeter(call: Call, response: ResponseHead): Meter {
  const answer = new BedrockAnswer()
  const { report } = answer
  report.readHeaders(response)
  return openDocumentMeter(answer.place(), ({ ended, broken }) => {
    const usage = answer.usage(call)
    const known = call.generates ? report.whole : report.reported
    // Headers speak of the whole answer, whatever its body is; but only its end shows that it came through.
    if (known && usage !== null && ((answer.whole && !broken) || (ended && report.billed))) return { kind: 'exact', usage }
    const delivered = { ...answer.delivered(call), deltaEvents: textBytes(answer.text) > 0 ? 1 : 0 }
    return ended && usage === null ? { kind: 'absent', delivered } : { kind: 'partial', usage, delivered }
  })
}

class StreamMeter implements Meter {
  readonly #call: Call
  readonly #answer = new BedrockAnswer()
  readonly #scanner = new JsonScanner(this.#answer.place())
  readonly #chunk = new ChunkBytes()
  readonly #parser = new EventStreamParser(frame => this.#frame(frame))
  /** The last frame came: Converse's `metadata`, or a chunk with Bedrock's own numbers. */
  #done = false
  #ended = false
  #failed = false

  constructor(call: Call, response: ResponseHead) {
    this.#call = call
    this.#answer.report.readHeaders(response)
  }

  push(piece: Uint8Array): null {
    this.#parser.push(piece)
    return null
  }

  end(): null {
    this.#parser.end()
    this.#ended = true
    return null
  }

  reading(): UsageReading {
    const { report, finished } = this.#answer
    const usage = this.#answer.usage(this.#call)
    const final = this.#done || (this.#ended && finished && !this.#failed)
    if (final && report.whole && usage !== null) return { kind: 'exact', usage }
    const delivered = this.#answer.delivered(this.#call)
    const absent = this.#ended && usage === null && !this.#failed
    return absent ? { kind: 'absent', delivered } : { kind: 'partial', usage, delivered }
  }

  #frame(frame: EventFrame): void {
    if (frame.kind === 'exception') this.#failed = true
    if (frame.kind === 'unread') this.#unread(frame.raw, frame.last)
    if (frame.kind !== 'event' || this.#done) return
    const { name, payload } = frame
    if (name !== 'chunk') {
      this.#read(payload)
      this.#done = name === 'metadata' && this.#answer.whole && this.#answer.reportedHere
      return
    }
    const bytes = this.#chunk.read(payload)
    if (bytes === null) this.#unread(payload, true)
    else this.#read(bytes)
    this.#done = bytes !== null && this.#answer.whole && this.#answer.billedHere
  }

  /** Output all the same: counted by its size, as the densest text there is. */
  #unread(raw: Uint8Array, last: boolean): void {
    this.#answer.text.addUnread(raw.length)
    if (last) this.#answer.deltaEvents++
  }

  #read(event: Uint8Array): void {
    const answer = this.#answer
    const before = textBytes(answer.text)
    answer.begin()
    this.#scanner.reset()
    this.#scanner.push(event)
    this.#scanner.end()
    if (textBytes(answer.text) > before) answer.deltaEvents++
  }
}

/** InvokeModel wraps the model's own events: `{"bytes":"<base64>","p":"<padding>"}`. */
class ChunkBytes {
  #found: Scalar | null = null
  readonly #scanner = new JsonScanner({
    members: members({ bytes: { keep: CAPTURE_BYTES_MAX, scalar: scalar => (this.#found = scalar) } }),
  })

  /** The model's event; null where the payload is none of this shape. */
  read(payload: Uint8Array): Uint8Array | null {
    this.#found = null
    this.#scanner.reset()
    this.#scanner.push(payload)
    if (this.#scanner.end().kind === 'broken') return null
    const found = this.#found as Scalar | null
    if (found?.kind !== 'string') return null
    // Without escapes, as AWS writes it, the text stands in the payload as it is, however long.
    if (found.bytes === found.end - found.start - 2) return decodeBase64(payload.subarray(found.start + 1, found.end - 1))
    return found.bytes <= CAPTURE_BYTES_MAX ? decodeBase64(ENCODER.encode(found.text)) : null
  }
}

const ENCODER = new TextEncoder()
