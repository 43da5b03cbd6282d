// Paths of OpenAI-shaped endpoints: told by their end, whatever stands before it. Knows no bodies.
import type { Endpoint, Format, RequestHead } from './format.ts'

/** The metered endpoint where `head` is a POST to a path that ends in `/suffix`, else null. */
export function matchSuffix(format: Format, head: RequestHead, suffix: string, not?: string): Endpoint | null {
  const path = head.path.replace(/\/+$/, '')
  if (head.method.toUpperCase() !== 'POST' || !path.endsWith(`/${suffix}`)) return null
  if (not !== undefined && path.endsWith(`/${not}`)) return null
  return { kind: 'metered', format, endpoint: suffix }
}

/** The deployment of an Azure path `/openai/deployments/{deployment}/…`, which names the model; null for other paths. */
export function azureDeployment(path: string): string | null {
  const name = /\/openai\/deployments\/([^/]{1,256})\//.exec(path)?.[1]
  if (name === undefined) return null
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** Azure takes `max_completion_tokens` from API version 2024-09-01 on (its REST reference); its v1 paths have no version. */
export function azureKnowsCompletionBound(head: RequestHead): boolean {
  const version = /(?:^|&)api-version=(\d{4}-\d{2}-\d{2})/.exec(head.query)?.[1]
  return version === undefined || version >= '2024-09-01'
}
