// What the readers of Bedrock's requests share: the model from the path, one scan over the body, checked fields. Never changes a body: it is signed.

import { MODEL_NAME_CHARS_MAX } from '../limits.ts'
import { isStoredPrompt, modelOfPath } from './bedrock-path.ts'
import { CallDraft } from './call-draft.ts'
import type { CallReader, ReadResult, RequestHead } from './format.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place } from './json-place.ts'
import { wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'

export interface BedrockRequest {
  readonly draft: CallDraft
  readonly fields: RequestFields
}

export interface BedrockShape {
  readonly format: string
  readonly endpoint: string
  generates(model: string): boolean
  members(request: BedrockRequest): Readonly<Record<string, Place>>
  complete?(request: BedrockRequest): void
}

export function openBedrockReader(shape: BedrockShape, head: RequestHead): CallReader {
  const request: BedrockRequest = { draft: new CallDraft(), fields: new RequestFields() }
  const { draft, fields } = request
  readHead(request, shape, head)
  const root: Place = { members: members(shape.members(request)), others: wholePrompt(draft) }
  const complete = (): ReadResult => {
    shape.complete?.(request)
    return { kind: 'call', call: draft.call(shape.format, shape.endpoint, shape.generates(draft.models[0] ?? '')), amend: () => [] }
  }
  return openBodyReader({ draft, fields, root, complete })
}

function readHead({ draft, fields }: BedrockRequest, { endpoint }: BedrockShape, head: RequestHead): void {
  const model = modelOfPath(head.path)
  if (model === null || model.length > MODEL_NAME_CHARS_MAX) {
    fields.refuse(`The path must name a model of 1 to ${MODEL_NAME_CHARS_MAX} characters.`)
  } else draft.addModel(model)
  if (model !== null && isStoredPrompt(model)) draft.opaqueInputs.add('a stored prompt')
  draft.streaming = endpoint.endsWith('stream')
  // Every answer reports its usage unasked.
  draft.usageAsked = true
  // InvokeModel asks for its tier in headers; a latency that is optimised is another price, too.
  draft.serviceTier = tierAsked(head.header('x-amzn-bedrock-service-tier'), head.header('x-amzn-bedrock-performanceconfig-latency'))
}

/** `default` and `standard` are no wish. */
export function tierAsked(tier: string | null, latency: string | null): string | null {
  if (tier !== null && tier !== '' && tier !== 'default') return tier.slice(0, 64)
  return latency === 'optimized' ? latency : null
}
