// Verdicts: every refusal there is, its status, and the sentence that explains it. A closed list; nothing is refused otherwise.
import type { PolicyName } from './policy.ts'

/** The values of `x-purser-reason`, of the metric's label and of the logs. */
export const REASONS = [
  'in-flight',
  'window-ending',
  'rate',
  'concurrency',
  'exhausted',
  'never-fits',
  'over-per-request',
  'model-forbidden',
  'provider-forbidden',
  'endpoint-forbidden',
  'no-price',
  'unbounded-output',
  'output-bound-required',
  'opaque-input',
  'server-tools',
  'unknown-endpoint',
  'background',
  'upgrade',
  'unbudgeted',
  'too-many-limits',
  'unknown-key',
  'key-expired',
  'key-disabled',
  'two-keys',
  'key-in-url',
  'key-required',
  'unreadable',
  'too-large',
  'ledger-unavailable',
  'overload',
] as const
export type Reason = (typeof REASONS)[number]

/** A refusal, whole: what the client is told, in whatever dialect. */
export interface Verdict {
  readonly reason: Reason
  readonly status: number
  /** One sentence for a person. */
  readonly message: string
  /** Seconds, 1 to 60, already jittered; null for no `retry-after`. */
  readonly retryAfter: number | null
  /** Whether to send `x-should-retry: false`. */
  readonly dontRetry: boolean
  /** The policy and limit that said no, where one did. */
  readonly budget: { readonly policy: PolicyName; readonly limit: string | null } | null
}
