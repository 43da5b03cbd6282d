// Google's embeddings: embedContent and batchEmbedContents, and `predict` of Vertex's embedding models. Input only, nothing is generated.
import { NO_TEXT } from '../core/call.ts'
import { parseDecimalUp } from '../core/money.ts'
import { NO_TOKENS, type UsageReading } from '../core/usage.ts'
import { CallDraft } from './call-draft.ts'
import type { CallReader, Format, Meter, ReadResult, RequestHead } from './format.ts'
import { openGeminiMeter } from './gemini-meter.ts'
import { contentsPlace } from './gemini-parts.ts'
import { oneSpelling } from './gemini-spelling.ts'
import { googleMethod } from './google-path.ts'
import { JsonScanner } from './json.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place } from './json-place.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'

const VERBS: readonly string[] = ['embedContent', 'batchEmbedContents']
/** `predict` serves models of every kind; only those of text embeddings say how many tokens they read. */
const PREDICTS_EMBEDDINGS = /^(?:(?:text|gemini)-(?:multilingual-)?embedding|textembedding-gecko)/i

export const geminiEmbeddings: Format = {
  name: 'gemini-embeddings',
  dialect: 'gemini',
  match: head => {
    const method = googleMethod(head)
    if (method === null) return null
    const { verb, model } = method
    const known = VERBS.includes(verb) || (verb === 'predict' && PREDICTS_EMBEDDINGS.test(model))
    return known ? { kind: 'metered', format: geminiEmbeddings, endpoint: verb } : null
  },
  openReader: openEmbeddingsReader,
  openMeter: (call, response) => (call.endpoint === 'predict' ? new PredictMeter(call.models[0] ?? null) : openGeminiMeter(call, response)),
}

function openEmbeddingsReader(head: RequestHead, endpoint: string): CallReader {
  const draft = new CallDraft()
  const fields = new RequestFields()
  const complete = (): ReadResult => {
    draft.addModel(googleMethod(head)?.model ?? '')
    return { kind: 'call', call: draft.call('gemini-embeddings', endpoint, false), amend: () => [] }
  }
  return openBodyReader({ draft, fields, root: bodyPlace(draft, fields, endpoint), complete })
}

function bodyPlace(draft: CallDraft, fields: RequestFields, endpoint: string): Place {
  const others = wholePrompt(draft)
  const settings = { model: NOT_PROMPT, taskType: NOT_PROMPT, outputDimensionality: NOT_PROMPT, embedContentConfig: NOT_PROMPT }
  const content = contentsPlace(draft)
  if (endpoint === 'embedContent') return { members: oneSpelling(fields, { ...settings, content }), others }
  const list = (name: string): Place => ({
    enter: kind => {
      if (kind !== 'array') fields.refuse(`The field "${name}" must be a list.`)
    },
  })
  if (endpoint === 'batchEmbedContents') {
    const request: Place = { members: members({ ...settings, content }), others }
    return { members: members({ requests: { ...list('requests'), items: request } }), others }
  }
  const instance: Place = {
    measure: { tally: draft.text, mode: 'text' },
    enter: () => {
      draft.items++
    },
  }
  return { members: members({ instances: { ...list('instances'), items: instance }, parameters: NOT_PROMPT }), others }
}

/** Meters `predict`: each prediction has statistics of its own, and there is no sum of them. */
class PredictMeter implements Meter {
  readonly #model: string | null
  readonly #scanner: JsonScanner
  #predictions = 0
  #counted = 0
  #tokens = 0n
  #whole = false
  #ended = false

  constructor(model: string | null) {
    this.#model = model
    const count: Place = {
      scalar: ({ kind, text }) => {
        const tokens = kind === 'number' ? parseDecimalUp(text, 0) : null
        if (tokens === null) return
        this.#counted++
        this.#tokens += tokens
      },
    }
    const statistics: Place = { members: members({ token_count: count, tokenCount: count }) }
    const prediction: Place = { members: members({ embeddings: { members: members({ statistics }) } }) }
    this.#scanner = new JsonScanner({
      leave: () => (this.#whole = true),
      members: members({ predictions: { items: prediction, leave: ({ count }) => (this.#predictions = count) } }),
    })
  }

  push(piece: Uint8Array): null {
    this.#scanner.push(piece)
    return null
  }

  end(): null {
    this.#ended = true
    this.#scanner.end()
    return null
  }

  reading(): UsageReading {
    const whole = this.#whole && this.#scanner.fault === null && this.#predictions > 0 && this.#counted === this.#predictions
    const usage = {
      tokens: { ...NO_TOKENS, input: this.#tokens },
      calls: new Map(),
      model: this.#model,
      serviceTier: null,
      statedCost: null,
      contradictions: [],
    }
    if (whole) return { kind: 'exact', usage }
    const delivered = { text: NO_TEXT, deltaEvents: 0, hiddenReasoning: false, model: this.#model }
    return this.#ended ? { kind: 'absent', delivered } : { kind: 'partial', usage: null, delivered }
  }
}
