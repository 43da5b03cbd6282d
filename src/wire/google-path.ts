// Paths of Google's model methods, `…/models/{model}:{verb}`, on the Gemini API and on Vertex. Knows no bodies.
import { MODEL_NAME_CHARS_MAX } from '../limits.ts'
import type { RequestHead } from './format.ts'

export interface GoogleMethod {
  /** As the path names it: `gemini-2.5-flash`, `claude-sonnet-4-5@20250929`, or the id of a tuned model's endpoint. */
  readonly model: string
  /** Vertex's publisher; null on the Gemini API, where there is only Google. */
  readonly publisher: string | null
  /** Vertex's region, or `global`; null on the Gemini API. */
  readonly location: string | null
  readonly verb: string
}

/** The method that a POST calls; null for any other request. A colon may be percent-encoded, as Google reads it. */
export function googleMethod(head: RequestHead): GoogleMethod | null {
  if (head.method.toUpperCase() !== 'POST') return null
  const found = METHOD.exec(head.path.replace(/\/+$/, ''))
  if (found === null) return null
  const [, publisher = null, model = '', verb = ''] = found
  const name = decoded(model)
  if (name.length === 0 || name.length > MODEL_NAME_CHARS_MAX) return null
  return { model: name, publisher, location: LOCATION.exec(head.path)?.[1] ?? null, verb }
}

const METHOD = /\/(?:(?:publishers\/([^/]+)\/)?models|tunedModels|endpoints)\/([^/]+?)(?::|%3[Aa])([A-Za-z]+)$/

const LOCATION = /\/locations\/([^/]{1,64})\//

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
