// Reranking, as Cohere, Voyage, Jina and compatible servers speak it: a query and documents in, ranks out. Billed by searches or by tokens.
import { type TextSize, textBytes } from '../core/call.ts'
import type { CallDraft } from './call-draft.ts'
import { openCohereMeter } from './cohere-meter.ts'
import { SEARCH_UNITS } from './cohere-usage.ts'
import type { CallReader, Format, ReadResult } from './format.ts'
import type { Place } from './json-place.ts'
import { matchSuffix } from './openai-path.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { openOpenAiReader } from './openai-reader.ts'
import { TextTally } from './text-tally.ts'

const ENDPOINT = 'rerank'
const NOT_READ = 'top_n top_k return_documents truncation truncate max_chunks_per_doc max_tokens_per_doc rank_fields priority'.split(' ')

export const rerank: Format = {
  name: ENDPOINT,
  dialect: 'openai',
  match: head => matchSuffix(rerank, head, ENDPOINT),
  openReader: (_head, endpoint) => {
    const query = new TextTally()
    const reader = openOpenAiReader({
      format: ENDPOINT,
      endpoint,
      generates: false,
      pathModel: null,
      members: ({ draft }) => rerankMembers(draft, query),
      complete: ({ draft }) => readWithEach(draft, query),
      boundField: () => 'max_tokens',
    })
    return { push: piece => reader.push(piece), end: () => withSearches(reader) }
  },
  openMeter: openCohereMeter,
}

function rerankMembers(draft: CallDraft, query: TextTally): Record<string, Place> {
  return {
    ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
    query: { measure: { tally: query, mode: 'json' } },
    documents: {
      measure: { tally: draft.text, mode: 'text' },
      items: { ...wholePrompt(draft), enter: () => draft.items++ },
    },
  }
}

/** Models read the query with each document, and tokens are billed so (Voyage's and Jina's pricing pages). */
function readWithEach(draft: CallDraft, query: TextTally): void {
  if (draft.items === 0) draft.items = 1
  for (const kind of ['letters', 'digits', 'spaces', 'marks', 'high', 'dense'] as const) draft.text[kind] += query[kind] * draft.items
}

function withSearches(reader: CallReader): ReadResult {
  const result = reader.end()
  if (result.kind === 'unreadable') return result
  const { call } = result
  return { ...result, call: { ...call, charges: new Map([[SEARCH_UNITS, searchUnits(call.inputItems, call.text)]]) } }
}

/**
 * Cohere's pricing page: a search holds up to 100 documents; one above 500 tokens, the query included, counts once for each part of
 * that size. A query is cut at half of that, and no text has more than a token for two bytes, so each 500 bytes are a part at most.
 */
function searchUnits(documents: number, text: TextSize): bigint {
  const parts = documents + Math.ceil(textBytes(text) / 500)
  return BigInt(Math.max(1, Math.ceil(parts / 100)))
}
