// Gemini's generateContent and its stream, on the Gemini API and on Vertex. Assembles the reader and the meter; holds only what the path tells.
import type { Format } from './format.ts'
import { openGeminiMeter } from './gemini-meter.ts'
import { openGeminiReader } from './gemini-request.ts'
import { googleMethod } from './google-path.ts'

const VERBS: readonly string[] = ['generateContent', 'streamGenerateContent']

export const gemini: Format = {
  name: 'gemini',
  dialect: 'gemini',
  match: head => {
    const verb = googleMethod(head)?.verb ?? ''
    return VERBS.includes(verb) ? { kind: 'metered', format: gemini, endpoint: verb } : null
  },
  openReader: openGeminiReader,
  openMeter: openGeminiMeter,
}
