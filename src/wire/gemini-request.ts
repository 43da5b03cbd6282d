// Reads a generateContent request: bound, choices, tools, references, and the size of its prompt. The model is the path's. Keeps no text.
import { CallDraft } from './call-draft.ts'
import type { CallReader, ReadResult, RequestHead } from './format.ts'
import { contentsPlace } from './gemini-parts.ts'
import { eitherSpelling, oneSpelling } from './gemini-spelling.ts'
import { geminiToolsPlace } from './gemini-tools.ts'
import { googleMethod } from './google-path.ts'
import { openBodyReader } from './json-body.ts'
import type { Place } from './json-place.ts'
import { NestedBound } from './nested-bound.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'

/** Fields that no model reads. What is not named is counted as prompt: a field too many does a bound no harm, one too few does. */
const NOT_READ = notRead('model toolConfig safetySettings labels')
const SETTINGS_NOT_READ = notRead(
  'temperature topP topK seed stopSequences presencePenalty frequencyPenalty responseMimeType responseModalities thinkingConfig',
  'speechConfig imageConfig mediaResolution responseLogprobs logprobs audioTimestamp enableEnhancedCivicAnswers',
)

interface Request {
  readonly draft: CallDraft
  readonly fields: RequestFields
  readonly bound: NestedBound
}

export function openGeminiReader(head: RequestHead, endpoint: string): CallReader {
  const bound = new NestedBound('generationConfig', 'maxOutputTokens')
  const request: Request = { draft: new CallDraft(), fields: new RequestFields(), bound }
  const { draft } = request
  draft.streaming = endpoint === 'streamGenerateContent'
  // Vertex is told the tier by a header; the Gemini API by a field.
  draft.serviceTier = head.header('x-vertex-ai-llm-shared-request-type')?.toLowerCase().slice(0, 32) ?? null
  const complete = (): ReadResult => {
    draft.askModel(googleMethod(head)?.model ?? '')
    return { kind: 'call', call: draft.call('gemini', endpoint, true), amend: ({ outputBound }) => bound.splices(outputBound) }
  }
  return openBodyReader({ ...request, root: rootPlace(request), complete })
}

function rootPlace(request: Request): Place {
  const { draft, fields, bound } = request
  const contents = contentsPlace(draft)
  return {
    enter: (_kind, start) => bound.opened(start),
    leave: ({ count }) => bound.closed(count),
    members: new Map([
      ...NOT_READ,
      ...oneSpelling(fields, {
        contents: {
          ...contents,
          enter: (kind, start) => {
            if (kind !== 'array' && kind !== 'object') fields.refuse('The field "contents" must be a list.')
            contents.enter?.(kind, start)
          },
        },
        systemInstruction: contents,
        tools: geminiToolsPlace(draft),
        cachedContent: {
          measure: null,
          enter: kind => {
            if (kind !== 'null') draft.opaqueInputs.add('cached content')
          },
        },
        serviceTier: fields.word('serviceTier', tier => (draft.serviceTier = tier.toLowerCase())),
        generationConfig: bound.settingsPlace(fields, settingsPlace(request)),
      }),
    ]),
    others: wholePrompt(draft),
  }
}

function settingsPlace({ draft, fields, bound }: Request): Place {
  // A schema of the answer brings a hidden prompt, as a tool does.
  const schema: Place = {
    ...wholePrompt(draft),
    enter: kind => {
      draft.tools ||= kind !== 'null'
    },
  }
  return {
    measure: null,
    others: wholePrompt(draft),
    members: new Map([
      ...SETTINGS_NOT_READ,
      ...oneSpelling(fields, {
        maxOutputTokens: fields.count(
          'generationConfig.maxOutputTokens',
          (value, span) => {
            // 0 is how the field looks where it is not set, so it bounds nothing.
            if (value > 0n) draft.bound(value)
            bound.found(span)
          },
          span => bound.found(span),
        ),
        candidateCount: fields.count('generationConfig.candidateCount', count => (draft.choices = count)),
        responseSchema: schema,
        responseJsonSchema: schema,
        _responseJsonSchema: schema,
        responseFormat: schema,
        routingConfig: { measure: null, members: oneSpelling(fields, { manualMode: routedPlace({ draft, fields }) }) },
      }),
    ]),
  }
}

/** Vertex may be told to let another model answer than the path names. */
function routedPlace({ draft, fields }: Pick<Request, 'draft' | 'fields'>): Place {
  return { members: oneSpelling(fields, { modelName: fields.word('routingConfig.manualMode.modelName', model => draft.addModel(model)) }) }
}

function notRead(...names: readonly string[]): ReadonlyMap<string, Place> {
  const each = names.join(' ').split(' ')
  return eitherSpelling(Object.fromEntries(each.map(name => [name, NOT_PROMPT])))
}
