// What a Gemini answer, or the chunks of one so far, tell a meter: model, tier, usage, searches, text that came through. Keeps no text but queries.
import { type TextSize, textBytes } from '../core/call.ts'
import type { Usage } from '../core/usage.ts'
import { eitherSpelling } from './gemini-spelling.ts'
import { GeminiUsageReport } from './gemini-usage.ts'
import type { Place } from './json-place.ts'
import { searchIsBilledOnce } from './model-traits.ts'
import { TextTally } from './text-tally.ts'

/** How an enum that is not set may be written: by its name or its number. */
const NO_REASON: readonly string[] = ['FINISH_REASON_UNSPECIFIED', '0']

/** An answer has some tens of queries at most. */
const QUERIES_MAX = 256

export class GeminiAnswer {
  readonly text: TextTally = new TextTally()
  /** Chunks that carried any output. */
  deltaEvents = 0
  /** The outermost value of the document ended. */
  whole = false
  error = false
  /** The model said that it ends, or the prompt was blocked. */
  finished = false
  /** A report came with or after that, or in a chunk without any output: it is the answer's last. */
  final = false
  #model: string | null = null
  readonly #report = new GeminiUsageReport()
  /** Queries of searches, each once: as they are billed. */
  readonly #queries = new Set<string>()
  #maps = false
  #open = false
  #reported = false
  #candidates = false
  #before = 0

  /** Of the next document. */
  begin(): void {
    this.whole = false
    this.#open = false
  }

  /** The final report, null before one came. */
  usage(asked: string | null): Usage | null {
    return this.#tiered(this.#report.last(this.#model, this.#calls()), asked)
  }

  /** What has been reported so far, number by number the largest. */
  usageSoFar(asked: string | null): Usage | null {
    return this.#tiered(this.#report.most(this.#model, this.#calls()), asked)
  }

  get model(): string | null {
    return this.#model
  }

  size(): TextSize {
    return this.text.size()
  }

  /** The root of an answer: one chunk, or a list of them. */
  place(): Place {
    const chunk = this.#chunk()
    return {
      ...chunk,
      items: chunk,
      leave: span => {
        chunk.leave?.(span)
        this.whole = true
      },
    }
  }

  /** A tier that is not echoed is the one that was asked for. */
  #tiered(usage: Usage | null, asked: string | null): Usage | null {
    return usage === null || usage.serviceTier !== null ? usage : { ...usage, serviceTier: asked }
  }

  /** Before Gemini 3, searches are billed once an answer, however many; then each query (Google's pricing page). */
  #calls(): ReadonlyMap<string, bigint> {
    const calls = new Map<string, bigint>()
    const queries = this.#queries.size
    if (queries > 0) calls.set('web_search', searchIsBilledOnce(this.#model ?? '') ? 1n : BigInt(queries))
    if (this.#maps) calls.set('maps', 1n)
    return calls
  }

  #chunk(): Place {
    return {
      measure: null,
      enter: kind => {
        if (kind === 'object') this.#enterChunk()
      },
      leave: () => this.#endChunk(),
      members: eitherSpelling({
        candidates: { enter: kind => (this.#candidates ||= kind === 'array'), items: this.#candidate() },
        usageMetadata: this.#report.place(() => (this.#reported = true)),
        modelVersion: {
          scalar: ({ kind, text, bytes }) => (this.#model = kind === 'string' && bytes > 0 && bytes <= 256 ? text : this.#model),
        },
        promptFeedback: { members: eitherSpelling({ blockReason: { enter: kind => (this.finished ||= kind !== 'null') } }) },
        error: { enter: kind => (this.error ||= kind !== 'null') },
      }),
    }
  }

  #enterChunk(): void {
    this.#open = true
    this.#reported = false
    this.#candidates = false
    this.#before = textBytes(this.text)
  }

  #endChunk(): void {
    if (!this.#open) return
    this.#open = false
    if (textBytes(this.text) > this.#before) this.deltaEvents++
    if (this.#reported && (this.finished || !this.#candidates)) this.final = true
  }

  #candidate(): Place {
    const unmeasured = { measure: null }
    // Whatever a part carries is output, but for its labels, and for payloads that are not text.
    const part: Place = {
      measure: { tally: this.text, mode: 'text' },
      members: eitherSpelling({
        thoughtSignature: unmeasured,
        inlineData: unmeasured,
        fileData: unmeasured,
        // What a tool of Google's found is input, not output.
        toolResponse: unmeasured,
        codeExecutionResult: unmeasured,
        functionCall: { measure: { tally: this.text, mode: 'json' }, members: eitherSpelling({ id: unmeasured }) },
      }),
    }
    return {
      members: eitherSpelling({
        content: { members: eitherSpelling({ parts: { items: part } }) },
        finishReason: { scalar: ({ kind, text }) => (this.finished ||= kind !== 'null' && !NO_REASON.includes(text)) },
        groundingMetadata: {
          members: eitherSpelling({
            webSearchQueries: { items: { scalar: ({ kind, text }) => this.#query(kind === 'string' ? text : '') } },
            googleMapsWidgetContextToken: { enter: kind => (this.#maps ||= kind !== 'null') },
            groundingChunks: { items: { members: eitherSpelling({ maps: { enter: kind => (this.#maps ||= kind !== 'null') } }) } },
          }),
        },
      }),
    }
  }

  /** Empty ones are not billed (Google's page on grounding). */
  #query(text: string): void {
    if (text !== '' && this.#queries.size < QUERIES_MAX) this.#queries.add(text)
  }
}
