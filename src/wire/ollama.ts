// Ollama's own chat and generate: streams of JSON lines unless told otherwise. Assembles the reader and the meter.
import type { Endpoint, Format } from './format.ts'
import { openOllamaMeter } from './ollama-meter.ts'
import { openOllamaReader } from './ollama-request.ts'
import { matchSuffix } from './openai-path.ts'

const ENDPOINTS: readonly string[] = ['api/chat', 'api/generate']

export const ollama: Format = {
  name: 'ollama',
  dialect: 'openai',
  match: head => {
    for (const endpoint of ENDPOINTS) {
      const found: Endpoint | null = matchSuffix(ollama, head, endpoint)
      if (found !== null) return found
    }
    return null
  },
  openReader: (_head, endpoint) => openOllamaReader(endpoint),
  openMeter: openOllamaMeter,
}
