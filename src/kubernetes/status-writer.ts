// Writes a status by server-side apply, on the very state of the object that it was computed from: whoever was overtaken is refused.
import { WRITE_REQUEST_MS } from '../limits.ts'
import type { ObjectStatus } from '../objects/status.ts'
import type { Api } from './api.ts'
import type { Controlled } from './controlled-objects.ts'
import { brokenBy, type Failure } from './failure.ts'
import { isRawObject, type RawObject } from './raw-object.ts'
import { sendJson } from './request.ts'

/** Of every status that this program writes, whichever process does. */
export const FIELD_MANAGER = 'purser-controller'

export type ApplyOutcome =
  | { readonly kind: 'applied'; readonly object: RawObject }
  /** The object is another than the one that was seen; it will be heard of. */
  | { readonly kind: 'overtaken' }
  | { readonly kind: 'gone' }
  | Failure

export async function applyStatus(
  api: Api,
  { kind, apiVersion, path, raw: { metadata } }: Controlled,
  status: ObjectStatus,
  signal: AbortSignal,
): Promise<ApplyOutcome> {
  const { name, namespace, uid, resourceVersion } = metadata
  const body = { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion }, status }
  const written = { method: 'PATCH', type: 'application/apply-patch+yaml', body } as const
  const query = `fieldManager=${FIELD_MANAGER}&force=true`
  const answer = await sendJson(api, `${path}/status?${query}`, written, { idleMs: WRITE_REQUEST_MS, signal })
  if (answer.kind === 'answered')
    return isRawObject(answer.body) ? { kind: 'applied', object: answer.body } : brokenBy('the answer is not the object')
  if (answer.status === 409) return { kind: 'overtaken' }
  return answer.status === 404 ? { kind: 'gone' } : answer
}
