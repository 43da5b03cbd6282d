// A verdict becomes an answer: headers and a body in the caller's dialect. Never logs, never counts.
import type { Verdict } from '../core/verdict.ts'
import { errorBody } from '../wire/error.ts'
import type { Dialect } from '../wire/format.ts'
import type { Refusal } from './exchange.ts'

export function refusalOf(verdict: Verdict, dialect: Dialect): Refusal {
  const { contentType, body } = errorBody(dialect, verdict)
  const headers: [string, string][] = [
    ['content-type', contentType],
    ['x-purser-reason', verdict.reason],
  ]
  if (verdict.budget !== null) headers.push(['x-purser-budget', budgetText(verdict.budget)])
  if (verdict.retryAfter !== null) headers.push(['retry-after', String(verdict.retryAfter)])
  if (verdict.dontRetry) headers.push(['x-should-retry', 'false'])
  return { status: verdict.status, headers, body, reason: verdict.reason }
}

/** `namespace/policy/limit`; without a namespace for policies that are in none. */
export function budgetText({ policy, limit }: NonNullable<Verdict['budget']>): string {
  const name = policy.namespace === '' ? policy.name : `${policy.namespace}/${policy.name}`
  return limit === null ? name : `${name}/${limit}`
}
