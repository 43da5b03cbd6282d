// What the readers of OpenAI-shaped requests share: one scan over the body, checked fields, and the call at its end. Keeps no content.
import { CallDraft } from './call-draft.ts'
import type { Amendment, CallReader, ReadResult } from './format.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place } from './json-place.ts'
import { OpenAiOffsets } from './openai-amend.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'

/** Fields of any OpenAI-shaped request that no model reads. What is not named here, and not by the format, is counted as prompt. */
const NOT_READ = [
  'metadata user user_id safety_identifier prompt_cache_key prompt_cache_retention prompt_cache_options store seed stop temperature top_p',
  'top_k min_p top_a frequency_penalty presence_penalty repetition_penalty length_penalty logit_bias logprobs top_logprobs',
  'parallel_tool_calls reasoning_effort reasoning_format verbosity modalities audio provider route transforms include_reasoning echo',
  'encoding_format dimensions truncation truncate extra_headers extra_body keep_alive thinking enable_thinking moderation',
]
  .join(' ')
  .split(' ')

export interface OpenAiRequest {
  readonly draft: CallDraft
  readonly fields: RequestFields
  readonly offsets: OpenAiOffsets
}

export interface OpenAiShape {
  readonly format: string
  readonly endpoint: string
  readonly generates: boolean
  /** The model that the path names, null where the body does. */
  readonly pathModel: string | null
  /** The members of the outermost object that this format reads, beside those that all share. */
  members(request: OpenAiRequest): Readonly<Record<string, Place>>
  /** What is to be settled once all fields are read. */
  complete?(request: OpenAiRequest): void
  /** Whether another model may take the place of the one that the body names, as far as its name tells; absent: none may. */
  mayAsk?(model: string): boolean
  /** The name of the bound to put in. */
  boundField(provider: string | null): string
}

const NOT_READ_PLACES: ReadonlyMap<string, Place> = members(Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])))

export function openOpenAiReader(shape: OpenAiShape): CallReader {
  const request: OpenAiRequest = { draft: new CallDraft(), fields: new RequestFields(), offsets: new OpenAiOffsets() }
  return openBodyReader({ ...request, root: rootPlace(shape, request), complete: () => result(shape, request) })
}

function rootPlace(shape: OpenAiShape, { draft, fields, offsets, ...rest }: OpenAiRequest): Place {
  return {
    enter: (_kind, start) => offsets.opened(start),
    leave: ({ count }) => offsets.closed(count),
    members: members(
      {
        model: fields.word('model', (model, span) => {
          if (shape.pathModel !== null) return
          draft.askModel(model)
          offsets.model(span)
        }),
        stream: fields.flag('stream', streaming => (draft.streaming = streaming)),
        stream_options: offsets.streamOptions(fields, asked => (draft.usageAsked = asked)),
        service_tier: fields.word('service_tier', tier => (draft.serviceTier = tier)),
        ...shape.members({ draft, fields, offsets, ...rest }),
      },
      NOT_READ_PLACES,
    ),
    others: wholePrompt(draft),
  }
}

/** Whether the body names the one model that may answer. */
const asksOne = ({ draft, offsets }: OpenAiRequest): boolean => offsets.namesModel && draft.models.length === 1

function result(shape: OpenAiShape, request: OpenAiRequest): ReadResult {
  const { draft, fields, offsets } = request
  if (shape.pathModel !== null) draft.askModel(shape.pathModel)
  shape.complete?.(request)
  if (draft.models.length === 0) fields.refuse('The field "model" is missing.')
  const call = draft.call(shape.format, shape.endpoint, shape.generates)
  return {
    kind: 'call',
    call,
    as: model => (asksOne(request) && shape.mayAsk?.(model) === true ? { ...call, models: [model], outputDefault: null } : null),
    amend: (amendment: Amendment) => {
      const outputBound = draft.takesBound ? amendment.outputBound : null
      return offsets.splices({ ...amendment, outputBound }, shape.boundField(amendment.provider), call.usageAsked)
    },
  }
}
