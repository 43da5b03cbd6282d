// Anthropic message batches: many Messages requests in one body, answered later at the batch rate. Their bounds are summed; nothing is amended.
import { openAnthropicMeter } from './anthropic-meter.ts'
import { paramsMembers } from './anthropic-request.ts'
import { AnthropicTools } from './anthropic-tools.ts'
import { CallDraft } from './call-draft.ts'
import type { CallReader, Format, ReadResult } from './format.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place } from './json-place.ts'
import { matchSuffix } from './openai-path.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'

const NAME = 'anthropic-batches'
const ENDPOINT = 'messages/batches'

export const anthropicBatches: Format = {
  name: NAME,
  dialect: 'anthropic',
  match: head => {
    const found = matchSuffix(anthropicBatches, head, `v1/${ENDPOINT}`)
    return found === null ? null : { ...found, endpoint: ENDPOINT }
  },
  openReader,
  // The answer is a receipt: it reports no usage, so the batch is charged at its estimate.
  openMeter: openAnthropicMeter,
}

interface Batch {
  readonly draft: CallDraft
  readonly fields: RequestFields
  requests: bigint
  outputBound: bigint
  /** Of the request that is read. */
  current: { model: boolean; params: boolean; bound: bigint | null }
}

function openReader(): CallReader {
  const batch: Batch = { draft: new CallDraft(), fields: new RequestFields(), requests: 0n, outputBound: 0n, current: noRequest() }
  return openBodyReader({ ...batch, root: rootPlace(batch), complete: () => result(batch) })
}

const noRequest = (): Batch['current'] => ({ model: false, params: false, bound: null })

function result({ draft, fields, requests, outputBound }: Batch): ReadResult {
  if (requests === 0n) fields.refuse('The field "requests" is missing or empty.')
  else {
    draft.choices = requests
    // One bound for each, so that all of them together come to the sum, rounded up.
    draft.bound((outputBound + requests - 1n) / requests)
  }
  draft.background = true
  draft.streaming = false
  return { kind: 'call', call: { ...draft.call(NAME, ENDPOINT, true), batch: true }, amend: () => [] }
}

function rootPlace(batch: Batch): Place {
  const { draft, fields } = batch
  return {
    members: members({
      requests: {
        ...NOT_PROMPT,
        enter: kind => {
          if (kind !== 'array') fields.refuse('The field "requests" must be a list.')
        },
        items: {
          enter: () => (batch.current = noRequest()),
          scalar: () => fields.refuse('Each of "requests" must be an object.'),
          leave: () => settle(batch),
          members: members({ custom_id: NOT_PROMPT, params: paramsPlace(batch) }),
          others: wholePrompt(draft),
        },
      },
    }),
    others: wholePrompt(draft),
  }
}

function paramsPlace(batch: Batch): Place {
  const { draft, fields } = batch
  return {
    enter: kind => {
      if (kind === 'object') batch.current.params = true
    },
    members: members({
      ...paramsMembers(draft, fields, new AnthropicTools(draft, fields)),
      model: fields.word('params.model', model => {
        batch.current.model = true
        draft.addModel(model)
      }),
      max_tokens: fields.count('params.max_tokens', bound => (batch.current.bound = bound)),
      stream: NOT_PROMPT,
    }),
    others: wholePrompt(draft),
  }
}

function settle(batch: Batch): void {
  const { model, params, bound } = batch.current
  if (!params) batch.fields.refuse('Each of "requests" must have its "params".')
  if (!model) batch.fields.refuse('The field "params.model" is missing.')
  if (bound === null) batch.fields.refuse('The field "params.max_tokens" is missing.')
  batch.requests++
  batch.outputBound += bound ?? 0n
}
