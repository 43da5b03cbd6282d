// Anthropic's older text completions. Their answers report no usage, so what came through is what is known of them.

import { type Call, textBytes } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { CallDraft } from './call-draft.ts'
import { openDocumentMeter } from './document-meter.ts'
import { openEventMeter } from './event-meter.ts'
import type { Amendment, CallReader, Format, Meter, ReadResult, ResponseHead, Splice } from './format.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place, type Span } from './json-place.ts'
import { isEventStream } from './openai-meter.ts'
import { matchSuffix } from './openai-path.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'
import { TextTally } from './text-tally.ts'

const NAME = 'anthropic-complete'
const ENDPOINT = 'complete'
const NOT_READ = ['metadata', 'stop_sequences', 'temperature', 'top_k', 'top_p']

export const anthropicComplete: Format = {
  name: NAME,
  dialect: 'anthropic',
  match: head => {
    const found = matchSuffix(anthropicComplete, head, 'v1/complete')
    return found === null ? null : { ...found, endpoint: ENDPOINT }
  },
  openReader,
  openMeter,
}

function openReader(): CallReader {
  const draft = new CallDraft()
  const fields = new RequestFields()
  let bound: Span | null = null
  const root: Place = {
    members: members({
      ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
      model: fields.word('model', model => draft.addModel(model)),
      prompt: { measure: { tally: draft.text, mode: 'text' }, enter: () => draft.items++ },
      max_tokens_to_sample: fields.count('max_tokens_to_sample', (tokens, { start, end }) => {
        draft.bound(tokens)
        bound = { start, end }
      }),
      stream: fields.flag('stream', streaming => (draft.streaming = streaming)),
    }),
    others: wholePrompt(draft),
  }
  const complete = (): ReadResult => {
    if (draft.models.length === 0) fields.refuse('The field "model" is missing.')
    if (bound === null) fields.refuse('The field "max_tokens_to_sample" is missing.')
    return { kind: 'call', call: draft.call(NAME, ENDPOINT, true), amend: amendment => amend(amendment, bound) }
  }
  return openBodyReader({ draft, fields, root, complete })
}

function amend({ outputBound }: Amendment, bound: Span | null): readonly Splice[] {
  if (outputBound === null || bound === null) return []
  return [{ at: bound.start, remove: bound.end - bound.start, insert: outputBound.toString() }]
}

function openMeter(call: Call, response: ResponseHead): Meter {
  return isEventStream(call, response) ? streamMeter() : jsonMeter()
}

/** What an answer, or the events of one so far, tell. */
class Answer {
  readonly text: TextTally = new TextTally()
  model: string | null = null
  stopped = false
  failed = false
  deltaEvents = 0

  place(): Place {
    return {
      measure: null,
      members: members({
        completion: { measure: { tally: this.text, mode: 'text' } },
        model: { scalar: ({ kind, text, bytes }) => (this.model = kind === 'string' && bytes > 0 && bytes <= 256 ? text : this.model) },
        stop_reason: { scalar: ({ kind }) => (this.stopped ||= kind === 'string') },
        error: { enter: () => (this.failed = true) },
      }),
    }
  }

  reading(whole: boolean): UsageReading {
    const delivered = { text: this.text.size(), deltaEvents: this.deltaEvents, hiddenReasoning: false, model: this.model }
    return whole ? { kind: 'absent', delivered } : { kind: 'partial', usage: null, delivered }
  }
}

function jsonMeter(): Meter {
  const answer = new Answer()
  return openDocumentMeter(answer.place(), ({ ended }) => {
    if (textBytes(answer.text) > 0) answer.deltaEvents = 1
    return answer.reading(ended)
  })
}

function streamMeter(): Meter {
  const answer = new Answer()
  let before = 0
  return openEventMeter(answer.place(), {
    eventBegins: () => {
      before = textBytes(answer.text)
      return true
    },
    eventEnds: () => {
      if (textBytes(answer.text) > before) answer.deltaEvents++
    },
    eventUnread: bytes => answer.text.addUnread(bytes),
    reading: ended => answer.reading((answer.stopped || ended) && !answer.failed),
  })
}
