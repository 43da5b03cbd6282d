// OpenAI audio: a recording in a form to text, in its language or in English; and a text to speech. Assembles readers and meters; keeps no sound.
import { AUDIO_SECOND } from '../core/price.ts'
import { CallDraft } from './call-draft.ts'
import type { CallReader, Format, ReadResult, RequestHead } from './format.ts'
import { type FormField, openFormReader, wordField } from './multipart-fields.ts'
import { openMediaMeter } from './openai-media-meter.ts'
import { azureDeployment, matchSuffix } from './openai-path.ts'

const NAME = 'openai-audio'
const ENDPOINTS = ['audio/transcriptions', 'audio/translations']

/** Fields that decide what the text looks like, and not what it costs. */
const NOT_READ = ['response_format', 'temperature', 'language', 'include', 'timestamp_granularities', 'chunking_strategy', 'diarize']

/**
 * A second of sound in a file takes no fewer bytes than at 6 kbit/s, the lowest rate at which a codec for speech is used (Opus, RFC 6716
 * section 2.1.1; MP3 begins at 8). Only silence can be packed denser: what is billed for it beyond this shows as an overrun.
 */
const BYTES_PER_SECOND_MIN = 750
/** The shortest that anyone bills for (Groq's pricing page). */
const SECONDS_MIN = 10
/** What is not in the body is not longer than this, whoever takes it (the longest that is documented is 3 hours). */
const SECONDS_ELSEWHERE = 21_600
/** More than anyone says, in any language, in a second. */
const TOKENS_PER_SECOND = 10n
const TOKENS_MIN = 100n

export const openAiAudio: Format = {
  name: NAME,
  dialect: 'openai',
  match: head => {
    for (const endpoint of ENDPOINTS) {
      const found = matchSuffix(openAiAudio, head, endpoint)
      if (found !== null) return found
    }
    return null
  },
  openReader: openForm,
  openMeter: (call, response) =>
    openMediaMeter(call, response, { ends: /^transcript(?:ion)?\.(?:text\.)?done$/, endings: 1n, output: null }),
}

function openForm(head: RequestHead, endpoint: string): CallReader {
  const draft = new CallDraft()
  const files: number[] = []
  const sound: FormField = { kind: 'payload', found: bytes => files.push(bytes) }
  const elsewhere = (what: string): FormField => ({ kind: 'payload', found: bytes => bytes > 0 && draft.opaqueInputs.add(what) })
  const deployment = azureDeployment(head.path)
  return openFormReader(head.header('content-type'), {
    draft,
    fields: {
      ...Object.fromEntries(NOT_READ.map(name => [name, { kind: 'not-read' }])),
      model: wordField(model => draft.addModel(model)),
      prompt: { kind: 'prompt' },
      stream: wordField(stream => (draft.streaming = /^(?:true|1)$/i.test(stream))),
      file: sound,
      // Samples of who speaks, as data URLs.
      known_speaker_references: sound,
      known_speaker_names: { kind: 'prompt' },
      // Groq's and Mistral's.
      url: elsewhere('audio by its URL'),
      file_url: elsewhere('audio by its URL'),
      file_id: elsewhere('a file by its id'),
    },
    others: isFile => (isFile ? sound : { kind: 'prompt' }),
    complete: () => {
      if (deployment !== null) draft.models.splice(0, draft.models.length, deployment)
      return complete(draft, files, endpoint)
    },
  })
}

function complete(draft: CallDraft, files: readonly number[], endpoint: string): ReadResult {
  if (draft.models.length === 0) return { kind: 'unreadable', why: 'The field "model" is missing.' }
  for (const bytes of files) draft.addMedia({ kind: 'audio', bytes, detail: null })
  if (draft.overflow !== null) return { kind: 'unreadable', why: `The body has ${draft.overflow}.` }
  const seen = Math.ceil(files.reduce((sum, bytes) => sum + bytes, 0) / BYTES_PER_SECOND_MIN)
  const seconds = BigInt(Math.max(SECONDS_MIN, seen + (draft.opaqueInputs.size > 0 ? SECONDS_ELSEWHERE : 0)))
  // What is said in it bounds what is written, as no field of the form does.
  draft.bound(seconds * TOKENS_PER_SECOND + TOKENS_MIN)
  draft.usageAsked = true
  const call = { ...draft.call(NAME, endpoint, true), charges: new Map([[AUDIO_SECOND, seconds]]) }
  return { kind: 'call', call, amend: () => [] }
}
