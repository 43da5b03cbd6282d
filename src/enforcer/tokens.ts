// The tokenizer's part in a bound: asked only where a policy that may bind wants it, and for bodies of JSON. Never a reason to refuse.
import type { SubjectBinding } from '../core/policy.ts'
import type { TokenCount } from '../core/token-bound.ts'
import type { TokenCounter } from '../ports.ts'

const OPENING_BRACE = 0x7b

/** Null where nobody asks for a count, or it cannot be had in time: then the bound by bytes stands. */
export async function countTokens(counter: TokenCounter | undefined, bound: SubjectBinding, body: Uint8Array): Promise<TokenCount | null> {
  if (counter === undefined || !bound.policies.some(({ reservation }) => reservation.inputEstimate === 'Tokenizer')) return null
  const first = body.find(byte => byte > 0x20)
  return first === OPENING_BRACE ? counter.count(body) : null
}
