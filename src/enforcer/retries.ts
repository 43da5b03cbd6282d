// What attempts cost that a proxy made before the last: each may have been read and billed, so each adds what the input costs, into
// suspense, under an id of its own that every witness derives alike. Moves nothing itself.
import { createHash } from 'node:crypto'
import { expiryFloor } from '../core/floor.ts'
import type { Holder, Line, ReservationId, SettleMove } from '../core/reservation.ts'
import { amountsFor, type ChargedPlan } from './charge.ts'

/** `requests`: 1 where the last attempt counts for none. What another witness has told before, the ledger knows already. */
export function earlierAttemptMoves(
  { id, lines }: { readonly id: ReservationId; readonly lines: readonly Line[] },
  { call, prices, estimate }: ChargedPlan,
  holder: Holder,
  attempts: number,
  requests: bigint,
): SettleMove[] {
  const input = expiryFloor('Observed', call, prices, estimate)
  return Array.from({ length: attempts }, (_, n) => {
    const amounts = amountsFor(lines, { ...input, requests: n === 0 ? requests : 0n })
    return { id: attemptId(id, n + 1), holder, lines, amounts, proven: false, how: 'retried', arrears: true }
  }).filter(move => move.amounts.some(amount => amount > 0n))
}

/** Dated as the reservation is, so that its charge falls into the same windows. */
const attemptId = (id: ReservationId, attempt: number): ReservationId =>
  `${id.slice(0, 12)}${createHash('sha256').update(`${id} ${attempt}`).digest('hex').slice(0, 20)}` as ReservationId
