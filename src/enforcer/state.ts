// The states of one exchange, and what each of them holds. Which follows which is `lifecycle.ts`'s business.
import type { Answering } from './answering.ts'
import type { Held } from './close.ts'
import type { AnswerMeter } from './meter.ts'
import type { MeteredRequest, WatchedRequest } from './request.ts'

export type State =
  | { readonly kind: 'waiting'; readonly request: MeteredRequest | null }
  /** Reserved, and the verdict is not written yet; `answering` null where the answer goes another way. */
  | { readonly kind: 'reserved'; readonly held: Held; readonly answering: Answering | null }
  | { readonly kind: 'answering'; readonly answering: Answering }
  /** Nothing is open: an answer is fetched again, and may prove what it did cost. */
  | { readonly kind: 'watching'; readonly request: WatchedRequest }
  | { readonly kind: 'proving'; readonly request: WatchedRequest; readonly meter: AnswerMeter }
  /** Nothing is open, and the client is told something with its answer. */
  | { readonly kind: 'telling' }
  /** Nothing is open any more: refused, passed, closed, or handed over. */
  | { readonly kind: 'left' }
