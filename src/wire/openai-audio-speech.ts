// OpenAI speech: a text in, sound out, as bytes or as events. Assembles the reader and the meter; holds how long a text can sound.
import type { CallDraft } from './call-draft.ts'
import type { CallReader, Format, ReadResult, RequestHead } from './format.ts'
import type { Place } from './json-place.ts'
import { openMediaMeter } from './openai-media-meter.ts'
import { azureDeployment, matchSuffix } from './openai-path.ts'
import { NOT_PROMPT } from './openai-prompt.ts'
import { type OpenAiRequest, openOpenAiReader } from './openai-reader.ts'
import { TextTally } from './text-tally.ts'

const NAME = 'openai-speech'

export const openAiSpeech: Format = {
  name: NAME,
  dialect: 'openai',
  match: head => matchSuffix(openAiSpeech, head, 'audio/speech'),
  openReader,
  openMeter: (call, response) => openMediaMeter(call, response, { ends: /^speech\.audio\.done$/, endings: 1n, output: 'outputAudio' }),
}

/** What is to be said, apart from how. */
interface Said {
  readonly text: TextTally
  slow: boolean
}

function openReader(head: RequestHead, endpoint: string): CallReader {
  const said: Said = { text: new TextTally(), slow: false }
  const reader = openOpenAiReader({
    format: NAME,
    endpoint,
    generates: true,
    pathModel: azureDeployment(head.path),
    members: request => speechMembers(request, said),
    complete: ({ draft }) => settle(draft, said),
    boundField: () => 'input',
  })
  const end = (): ReadResult => {
    const read = reader.end()
    return read.kind === 'call' ? { ...read, amend: () => [] } : read
  }
  return { push: piece => reader.push(piece), end }
}

function speechMembers({ draft, fields }: OpenAiRequest, said: Said): Record<string, Place> {
  return {
    input: {
      measure: { tally: said.text, mode: 'text' },
      enter: kind => {
        draft.items++
        if (kind !== 'string') fields.refuse('The field "input" must be a text.')
      },
    },
    instructions: { measure: { tally: draft.text, mode: 'text' } },
    stream_format: fields.word('stream_format', format => (draft.streaming ||= format === 'sse')),
    // From 0.25 to 4 times the usual.
    speed: { ...NOT_PROMPT, scalar: ({ text }) => (said.slow = /^0*(?:\.|$)|^\d+e-/i.test(text)) },
    voice: NOT_PROMPT,
    response_format: NOT_PROMPT,
  }
}

/**
 * Tokens of sound for a byte of text, at some 21 a second (USD 0.015 a minute at USD 12 a million, OpenAI's pricing page): a letter lasts
 * less than a fifth of a second in a slow voice, a digit or sign is a word, and three bytes of CJK are a syllable or two.
 */
const TOKENS = { letters: 4, digits: 12, spaces: 4, marks: 8, high: 6 } as const
const TOKENS_MIN = 200
const SLOWEST = 4

/** The text bounds the sound, as no field of the body does. */
function settle(draft: CallDraft, { text, slow }: Said): void {
  let tokens = TOKENS_MIN
  for (const [kind, each] of Object.entries(TOKENS) as [keyof typeof TOKENS, number][]) {
    tokens += text[kind] * each
    draft.text[kind] += text[kind]
  }
  draft.text.dense += text.dense
  draft.bound(BigInt(tokens * (slow ? SLOWEST : 1)))
  // The sound alone reports nothing, and events do so unasked.
  draft.usageAsked = true
}
