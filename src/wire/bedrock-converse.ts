// Bedrock Converse and ConverseStream: one shape for every family of models. Reads requests; answers go to the meter that all of Bedrock shares.
import { converseBlock } from './bedrock-blocks.ts'
import { boundMembers } from './bedrock-bounds.ts'
import { openBedrockMeter } from './bedrock-meter.ts'
import { matchModelPath } from './bedrock-path.ts'
import { type BedrockRequest, openBedrockReader, tierAsked } from './bedrock-request.ts'
import { schemaPlace, toolConfigPlace, toolListPlace } from './bedrock-tools.ts'
import type { Format } from './format.ts'
import { members, type Place } from './json-place.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'

const ENDPOINTS = ['converse', 'converse-stream']
/** Fields that no model reads. */
const NOT_READ = ['guardrailConfig', 'additionalModelResponseFieldPaths', 'requestMetadata']

export const bedrockConverse: Format = {
  name: 'bedrock-converse',
  dialect: 'bedrock',
  match: head => matchModelPath(bedrockConverse, head, ENDPOINTS),
  openReader: (head, endpoint) =>
    openBedrockReader({ format: 'bedrock-converse', endpoint, generates: () => true, members: converseMembers }, head),
  openMeter: openBedrockMeter,
}

function converseMembers(request: BedrockRequest): Record<string, Place> {
  const { draft, fields } = request
  const block = converseBlock(draft)
  const { inferenceConfig } = boundMembers(draft, fields)
  return {
    ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
    system: { measure: { tally: draft.text, mode: 'text' }, enter: () => draft.items++, items: block },
    messages: {
      measure: null,
      enter: kind => {
        if (kind !== 'array' && kind !== 'null') fields.refuse('The field "messages" must be a list.')
      },
      leave: ({ count }) => (draft.items += count),
      items: {
        members: members({ role: NOT_PROMPT, content: { measure: { tally: draft.text, mode: 'text' }, items: block } }),
        others: wholePrompt(draft),
      },
    },
    inferenceConfig: inferenceConfig ?? NOT_PROMPT,
    toolConfig: toolConfigPlace(draft),
    outputConfig: { ...wholePrompt(draft), members: members({ textFormat: schemaPlace(draft) }) },
    additionalModelRequestFields: additionalPlace(request),
    serviceTier: { measure: null, members: members({ type: tierPlace(request) }) },
    performanceConfig: { measure: null, members: members({ latency: tierPlace(request) }) },
  }
}

/** Parameters of the family itself: they may declare another bound, and tools; what is not known is counted as prompt. */
function additionalPlace({ draft, fields }: BedrockRequest): Place {
  return {
    ...wholePrompt(draft),
    members: members({ ...boundMembers(draft, fields), tools: toolListPlace(draft), output_config: schemaPlace(draft) }),
  }
}

/** A tier stands above a latency, whichever comes first. */
function tierPlace({ draft, fields }: BedrockRequest): Place {
  return fields.word('serviceTier', asked => {
    const tier = tierAsked(asked === 'optimized' || asked === 'standard' ? null : asked, asked)
    if (tier !== null && (draft.serviceTier === null || draft.serviceTier === 'optimized')) draft.serviceTier = tier
  })
}
