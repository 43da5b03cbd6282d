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
  'retry-storm',
  'repeated-request',
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
  'wiring',
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

const STATUS: Readonly<Record<Exclude<Reason, ShortfallReason>, number>> = {
  'repeated-request': 429,
  'over-per-request': 403,
  'model-forbidden': 403,
  'provider-forbidden': 403,
  'endpoint-forbidden': 403,
  'no-price': 403,
  'unbounded-output': 403,
  'output-bound-required': 403,
  'opaque-input': 403,
  'server-tools': 403,
  'unknown-endpoint': 403,
  upgrade: 403,
  unbudgeted: 403,
  'too-many-limits': 403,
  'unknown-key': 401,
  'key-expired': 401,
  'key-disabled': 401,
  'two-keys': 401,
  'key-in-url': 401,
  'key-required': 401,
  unreadable: 400,
  'too-large': 413,
  'ledger-unavailable': 503,
  overload: 503,
  wiring: 500,
}

/** Reasons that a ledger's refusal gives; their verdicts are made by `refusal.ts`, and repeated by `waste.ts`. */
export type ShortfallReason = 'in-flight' | 'window-ending' | 'rate' | 'concurrency' | 'exhausted' | 'never-fits' | 'retry-storm'

/** A verdict that no budget's state brought about. 503 asks to come back in a second; the others say that retrying cannot help. */
export function verdict(reason: Exclude<Reason, ShortfallReason>, message: string, policy: PolicyName | null = null): Verdict {
  const status = STATUS[reason]
  return {
    reason,
    status,
    message,
    retryAfter: status === 503 ? 1 : null,
    dontRetry: status !== 503,
    budget: policy === null ? null : { policy, limit: null },
  }
}
