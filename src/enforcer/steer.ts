// The steering header: by it the proxy is told which of its routes a call takes. Only Purser may set it; a client's own copy goes no further.
import { type Verdict, verdict } from '../core/verdict.ts'
import { type HeaderChange, NO_CHANGE, type RequestInfo } from './exchange.ts'
import type { Passage } from './ways.ts'

export const STEERING_HEADER = 'x-purser-route'

/** What sends a call on its way, where that is not the one that it came in by. */
export const steered = ({ steer }: Passage): HeaderChange =>
  steer === null ? NO_CHANGE : { set: [[STEERING_HEADER, steer]], remove: [], reroute: true }

/** The headers that are removed because the client brought them. */
export const forged = ({ headers }: RequestInfo): readonly string[] => (headers.get(STEERING_HEADER) === null ? [] : [STEERING_HEADER])

/**
 * Where policies steer, a request that brings the header was routed by its client's word before it came here: whatever its route says of it
 * (namespace, provider, whose budgets) may be false, and its true route cannot be known.
 */
export function misrouted(info: RequestInfo, steers: boolean): Verdict | null {
  if (!steers || forged(info).length === 0) return null
  const sentence = `The header ${STEERING_HEADER} is the gateway's own, and must be removed before it chooses a route (early_header_mutation_extensions).`
  return verdict('wiring', sentence)
}
