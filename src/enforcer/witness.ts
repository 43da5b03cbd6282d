// The second witness: what the proxy's access log says of exchanges that are over, made closings of their reservations. It undoes no proof,
// and comes late, twice or not at all without harm.
import { LOG_PATIENCE_MS } from '../limits.ts'
import type { Enforcer } from './enforcer.ts'
import type { Testimony } from './exchange.ts'
import { Handed } from './handed.ts'
import { readHandover } from './handover.ts'
import { earlierAttempts, endingAtHead, UPSTREAM_CONNECTION_FAILURE } from './request.ts'

export function hear(enforcer: Enforcer, testimony: Testimony): void {
  const handover = readHandover(testimony.handover)
  if (handover === null) return
  const { retriesUnsent, settlesItself } = handover
  const handed = new Handed(enforcer, handover, testimony.handover)
  // No byte went out: as good as a connection that failed.
  const flags = testimony.sent ? testimony.flags : (testimony.flags ?? 0) | UPSTREAM_CONNECTION_FAILURE
  const journey = { ...testimony, flags }
  const ending = endingAtHead(journey)
  const earlier = earlierAttempts(journey, retriesUnsent)
  if (earlier > 0) handed.retried(earlier, ending === 'never-sent' ? 1n : 0n)
  if (ending === 'never-sent') {
    handed.release(ending)
    return
  }
  // The stream that reserved saw all else, or its replica is gone and the sweep knows.
  if (settlesItself) return
  const begun = testimony.status >= 200 && testimony.status <= 299
  if (ending !== null && !begun) handed.close(ending)
  else if (ending === null && testimony.usage !== null) handed.close({ kind: 'reported', usage: testimony.usage })
  // Whoever sees the answer itself knows better, and may not be done with it.
  else handed.closeIfOpen(LOG_PATIENCE_MS)
}
