// Reads a chat or generate request of Ollama: model, bound, tools, images, and the size of its prompt. Keeps sizes and names, never text.
import { CallDraft } from './call-draft.ts'
import { IMAGE_HEAD } from './data-url.ts'
import type { CallReader, ReadResult } from './format.ts'
import { imageSize } from './image-size.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place } from './json-place.ts'
import { NestedBound } from './nested-bound.ts'
import { NOT_PROMPT, toolsPlace, wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'

/** Fields that no model reads. What is not named is counted as prompt: a field too many does a bound no harm, one too few does. */
const NOT_READ = ['keep_alive', 'think', 'raw', 'truncate', 'shift', 'logprobs', 'top_logprobs']

interface Request {
  readonly draft: CallDraft
  readonly fields: RequestFields
  readonly bound: NestedBound
}

export function openOllamaReader(endpoint: string): CallReader {
  const request: Request = { draft: new CallDraft(), fields: new RequestFields(), bound: new NestedBound('options', 'num_predict') }
  const { draft, fields, bound } = request
  draft.streaming = true
  const complete = (): ReadResult => {
    if (draft.models.length === 0) fields.refuse('The field "model" is missing.')
    return { kind: 'call', call: draft.call('ollama', endpoint, true), amend: ({ outputBound }) => bound.splices(outputBound) }
  }
  return openBodyReader({ draft, fields, root: rootPlace(request), complete })
}

function rootPlace(request: Request): Place {
  const { draft, fields, bound } = request
  const text: Place = { measure: { tally: draft.text, mode: 'text' } }
  const prompt: Place = {
    ...text,
    enter: () => {
      draft.items++
    },
  }
  return {
    enter: (_kind, start) => bound.opened(start),
    leave: ({ count }) => bound.closed(count),
    members: members({
      ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
      model: fields.word('model', model => draft.askModel(model)),
      stream: fields.flag('stream', streaming => (draft.streaming = streaming)),
      messages: messagesPlace(request),
      tools: toolsPlace(draft),
      // `""` and null are no format.
      format: {
        ...wholePrompt(draft),
        scalar: ({ kind, bytes }) => (draft.tools ||= kind === 'string' && bytes > 0),
        leave: () => (draft.tools = true),
      },
      prompt,
      suffix: prompt,
      system: prompt,
      template: text,
      images: imagesPlace(draft),
      // A conversation before this one, as the tokens that it was.
      context: { measure: null, items: { keep: 0, enter: kind => (draft.tokenIds += kind === 'number' ? 1 : 0) } },
      options: bound.settingsPlace(fields, { measure: null, members: members({ num_predict: predictPlace(request) }) }),
    }),
    others: wholePrompt(draft),
  }
}

function messagesPlace({ draft, fields }: Request): Place {
  return {
    measure: null,
    enter: kind => {
      if (kind !== 'array' && kind !== 'null') fields.refuse('The field "messages" must be a list.')
    },
    leave: ({ count }) => (draft.items += count),
    items: {
      others: wholePrompt(draft),
      members: members({
        role: NOT_PROMPT,
        content: { measure: { tally: draft.text, mode: 'text' } },
        thinking: { measure: { tally: draft.text, mode: 'text' } },
        images: imagesPlace(draft),
      }),
    },
  }
}

/** A list of base64 texts. */
function imagesPlace(draft: CallDraft): Place {
  const image: Place = {
    keep: IMAGE_HEAD,
    scalar: ({ kind, bytes, text }) => {
      if (kind === 'string') draft.addMedia({ kind: 'image', bytes: Math.ceil((bytes * 3) / 4), detail: null }, imageSize(text))
    },
  }
  return { measure: null, items: image }
}

/** The bound: -1 (no bound), -2 (to the end of the context) and 0 declare none, but their place is where one goes. */
function predictPlace({ draft, fields, bound }: Request): Place {
  const count = fields.count(
    'options.num_predict',
    (value, span) => {
      if (value > 0n) draft.bound(value)
      bound.found(span)
    },
    span => bound.found(span),
  )
  return {
    ...count,
    scalar: scalar => {
      if (scalar.kind === 'number' && /^-[12]$/.test(scalar.text)) bound.found(scalar)
      else count.scalar?.(scalar)
    },
  }
}
