// Bedrock's paths, which name the model: percent-encoded ids, inference profiles, ARNs. Knows no bodies.
import type { Endpoint, Format, RequestHead } from './format.ts'

/** An ARN holds a slash, which clients encode; one that was decoded on its way is the same model. */
const PATH = /\/model\/((?:arn:[^/]+\/)?[^/]+)\/([a-z-]+)\/*$/

/** The metered endpoint where `head` is a POST to one of `endpoints` of a model, else null. */
export function matchModelPath(format: Format, head: RequestHead, endpoints: readonly string[]): Endpoint | null {
  const endpoint = PATH.exec(head.path)?.[2]
  if (endpoint === undefined || head.method.toUpperCase() !== 'POST' || !endpoints.includes(endpoint)) return null
  return { kind: 'metered', format, endpoint }
}

/** The model that the path names, decoded: an id, an inference profile, an ARN; null where there is none, or none that can be read. */
export function modelOfPath(path: string): string | null {
  const name = PATH.exec(path)?.[1]
  if (name === undefined) return null
  try {
    return decodeURIComponent(name)
  } catch {
    return null
  }
}

/** An ARN of a stored prompt: the model, and what it is told, are not in the request. */
export const isStoredPrompt = (model: string): boolean => /^arn:[^/]*:prompt\//.test(model)
