// The head of a metered request as the enforcer keeps it until the body comes, and what a response's head says of its journey.
import type { PolicySet, SubjectBinding } from '../core/policy.ts'
import type { Subject } from '../core/subject.ts'
import { RETRIES_CHARGED_MAX } from '../limits.ts'
import type { Endpoint, Format, RequestHead } from '../wire/format.ts'
import type { Ending } from './charge.ts'
import type { RequestInfo, ResponseInfo } from './exchange.ts'

export interface MeteredRequest {
  readonly info: RequestInfo
  readonly head: RequestHead
  readonly subject: Subject
  readonly bound: SubjectBinding
  /** The set that bound the subject: a reload in between does not mix two sets. */
  readonly set: PolicySet
  readonly endpoint: Extract<Endpoint, { kind: 'metered' }>
}

/** A request for an answer that is there already: its answer is read, and nothing of it is charged. */
export interface WatchedRequest {
  readonly info: RequestInfo
  readonly head: RequestHead
  readonly format: Format
  readonly endpoint: string
}

export function requestHead(info: RequestInfo): RequestHead {
  const query = info.path.indexOf('?')
  return {
    method: info.method,
    path: query < 0 ? info.path : info.path.slice(0, query),
    query: query < 0 ? '' : info.path.slice(query + 1),
    header: name => info.headers.get(name),
  }
}

/** Envoy's UF flag: the connection to the upstream failed (envoy/api/v3 ResponseFlag, `upstream_connection_failure`). */
export const UPSTREAM_CONNECTION_FAILURE = 32

type Journey = Pick<ResponseInfo, 'attempts' | 'flags'>

/** Whether the last attempt cannot have reached the provider: none was made, or its connection failed. */
const neverSent = (info: Journey): boolean =>
  info.attempts === 0 || (info.flags !== null && (info.flags & UPSTREAM_CONNECTION_FAILURE) !== 0)

/** Attempts before the last one, bounded: what became of them is not told, but where the route repeats only what was not sent. */
export const earlierAttempts = ({ attempts }: Journey, retriesUnsent: boolean): number =>
  retriesUnsent ? 0 : Math.min(Math.max(0, (attempts ?? 1) - 1), RETRIES_CHARGED_MAX)

/** How an exchange ends at the head of its response; null where its body is to be read. */
export function endingAtHead(info: Pick<ResponseInfo, 'status' | 'codeDetails' | 'attempts' | 'flags'>): Ending | 'never-sent' | null {
  if (neverSent(info)) return 'never-sent'
  // The proxy answered by itself after it may have asked the provider (a reset, a timeout), or nobody was left to be answered.
  if (info.status === 0) return { kind: 'lost' }
  if (info.codeDetails !== null && info.codeDetails !== 'via_upstream') return { kind: 'lost' }
  return info.status >= 200 && info.status <= 299 ? null : { kind: 'error' }
}
