// Bedrock InvokeModel and its stream: every family's own body. Families are told by their fields, not by the model, whose id may be an opaque ARN.
import { blockPlace } from './anthropic-blocks.ts'
import { converseBlockMembers, mediaPlace } from './bedrock-blocks.ts'
import { boundMembers } from './bedrock-bounds.ts'
import { openBedrockMeter } from './bedrock-meter.ts'
import { matchModelPath } from './bedrock-path.ts'
import { type BedrockRequest, openBedrockReader } from './bedrock-request.ts'
import { schemaPlace, toolConfigPlace, toolListPlace } from './bedrock-tools.ts'
import type { CallDraft } from './call-draft.ts'
import { dataUrl, IMAGE_HEAD } from './data-url.ts'
import type { Format } from './format.ts'
import { imageSize } from './image-size.ts'
import { members, type Place } from './json-place.ts'
import { cacheMarker, NOT_PROMPT, wholePrompt } from './openai-prompt.ts'

const ENDPOINTS = ['invoke', 'invoke-with-response-stream']

/** Fields of any family that no model reads. What is not named here is counted as prompt. */
const NOT_READ = [
  'anthropic_version anthropic_beta schemaVersion temperature top_p topP top_k topK p k seed stop stop_sequences stopSequences',
  'stop_words tool_choice thinking metadata logprobs top_logprobs frequency_penalty presence_penalty frequencyPenalty presencePenalty',
  'countPenalty return_likelihoods logit_bias return_prompt truncate input_type embedding_types dimensions normalize embeddingTypes',
  'output_dimension embeddingConfig reasoning_effort reasoningConfig stream user raw_prompting search_queries_only citation_quality',
  'amazon-bedrock-guardrailConfig api_version top_n',
]
  .join(' ')
  .split(' ')

export const bedrockInvoke: Format = {
  name: 'bedrock-invoke',
  dialect: 'bedrock',
  match: head => matchModelPath(bedrockInvoke, head, ENDPOINTS),
  openReader: (head, endpoint) =>
    openBedrockReader({ format: 'bedrock-invoke', endpoint, generates, members: invokeMembers, complete: countItems }, head),
  openMeter: openBedrockMeter,
}

/** Vectors and ranks are no output. */
const generates = (model: string): boolean => !/embed|rerank/i.test(model)

/** A prompt that is no list of messages is one item. */
function countItems({ draft }: BedrockRequest): void {
  if (draft.items === 0) draft.items = 1
}

function invokeMembers({ draft, fields }: BedrockRequest): Record<string, Place> {
  const content = contentPlace(draft)
  const messages: Place = {
    measure: null,
    enter: kind => {
      if (kind !== 'array') fields.refuse('The field "messages" must be a list.')
    },
    leave: ({ count }) => (draft.items += count),
    items: { members: members({ role: NOT_PROMPT, content }), others: wholePrompt(draft) },
  }
  const listed: Place = { ...wholePrompt(draft), leave: ({ count }) => (draft.items += count) }
  return {
    ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
    ...boundMembers(draft, fields),
    messages,
    system: { ...content, enter: () => draft.items++ },
    tools: toolListPlace(draft),
    toolConfig: toolConfigPlace(draft),
    response_format: schemaPlace(draft),
    output_format: schemaPlace(draft),
    output_config: { ...wholePrompt(draft), members: members({ format: schemaPlace(draft) }) },
    cache_control: cacheMarker(draft),
    // Cohere's chat and vectors.
    chat_history: listed,
    documents: listed,
    texts: listed,
    inputs: { ...listed, items: { members: members({ content }) } },
    // Pictures of Llama and of Cohere's vectors, and of Titan's.
    images: { measure: null, items: picture(draft) },
    inputImage: picture(draft),
    ...videoMembers(draft),
  }
}

/** Nova's vectors, and TwelveLabs' models, of pictures, sound and film. */
function videoMembers(draft: CallDraft): Record<string, Place> {
  const kinds = (['image', 'audio', 'video'] as const).map((kind): [string, Place] => [kind, mediaPlace(draft, kind)])
  const embedding: Place = { ...wholePrompt(draft), members: new Map(kinds) }
  const inBody: Place = {
    keep: 0,
    scalar: ({ bytes }) => draft.addMedia({ kind: 'video', bytes: Math.ceil((bytes * 3) / 4), detail: null }),
  }
  const inS3: Place = { enter: () => draft.opaqueInputs.add('video by reference') }
  return {
    singleEmbeddingParams: embedding,
    segmentedEmbeddingParams: embedding,
    mediaSource: { measure: null, members: members({ base64String: inBody, s3Location: inS3 }) },
  }
}

/** Blocks of Anthropic, of Nova, and parts of the OpenAI-shaped families: their members do not collide. */
function contentPlace(draft: CallDraft): Place {
  const block = blockPlace(draft)
  const url: Place = { measure: null, ...picture(draft), members: members({ url: picture(draft) }) }
  return {
    measure: { tally: draft.text, mode: 'text' },
    items: { ...block, members: new Map([...converseBlockMembers(draft), ...(block.members ?? []), ['image_url', url]]) },
  }
}

/** A picture as base64 or a `data:` URL; any other URL is a reference. */
function picture(draft: CallDraft): Place {
  return {
    measure: null,
    keep: IMAGE_HEAD,
    scalar: scalar => {
      if (scalar.kind !== 'string') return
      const known = dataUrl(scalar)
      if (known !== null) draft.addMedia({ kind: 'image', bytes: known.bytes, detail: null }, known.size)
      else if (/^https?:/i.test(scalar.text)) draft.addMedia({ kind: 'image', bytes: null, detail: null })
      else draft.addMedia({ kind: 'image', bytes: Math.ceil((scalar.bytes * 3) / 4), detail: null }, imageSize(scalar.text))
    },
  }
}
