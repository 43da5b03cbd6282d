// How a reservation ends at this process: settled at what its ending says, or released. Told to the outbox; the client waits for none of it.
import type { Reservation } from './admit.ts'
import type { Allowed } from './allowance.ts'
import { amountsFor, type Charge, type ChargedPlan, chargeOf, type Ending } from './charge.ts'
import type { Enforcer } from './enforcer.ts'
import type { AnswerMeter } from './meter.ts'
import type { Plan } from './plan.ts'
import { answerHash } from './prove.ts'
import { earlierAttemptMoves } from './retries.ts'

/** What is open while a call is on its way. */
export interface Held {
  readonly reservation: Reservation
  readonly plan: Plan
  /** Not null where the ledger was away, and this process admitted the call by itself. */
  readonly allowed: Allowed | null
}

/** Charges what the ending says. To be called once for each reservation, as with {@link releaseReservation}. */
export function closeReservation(enforcer: Enforcer, { plan, reservation, allowed }: Held, ending: Ending): void {
  const { settler, holder, time, telemetry, watch, warner } = enforcer
  watch.remove(reservation.id)
  const charge = chargeOf(plan, ending, time.now())
  const amounts = amountsFor(reservation.lines, charge)
  allowed?.charged(amounts)
  settler.settle(
    {
      ...reservation,
      holder,
      amounts,
      proven: charge.proven,
      how: charge.how,
      ...(allowed === null ? {} : { arrears: true }),
      ...(charge.proven ? {} : fetchableAs(plan, ending)),
    },
    () => allowed?.posted(),
  )
  warner.charged(plan.binding.limits, reservation.lines)
  telemetry.closed(charge.how)
  countAnswer(enforcer, plan, charge, ending)
}

/** Gives all of it back: nothing was sent. */
export function releaseReservation({ settler, holder, telemetry }: Enforcer, { reservation, allowed }: Held, how: string): void {
  allowed?.charged(reservation.lines.map(() => 0n))
  settler.release({ ...reservation, holder, how })
  telemetry.closed('released')
}

/** Charges attempts that the proxy made again: charges of their own, so that the last attempt keeps its proof. */
export function chargeEarlierAttempts(
  { settler, holder }: Enforcer,
  { plan, reservation }: Held,
  attempts: number,
  requests: bigint,
): void {
  for (const move of earlierAttemptMoves(reservation, plan, holder, attempts, requests)) settler.settle(move)
}

/** Where expiry would charge less than the estimate, the ledger is told how far the answer has come. */
export function watchProgress({ watch, time }: Enforcer, { plan, reservation }: Held, meter: AnswerMeter): void {
  if (reservation.lines.every(line => line.floor === line.amount)) return
  watch.add(reservation.id, () => amountsFor(reservation.lines, chargeOf(plan, { kind: 'answered', reading: meter.reading() }, time.now())))
}

export function countAnswer({ telemetry }: Pick<Enforcer, 'telemetry'>, plan: ChargedPlan, charge: Charge, ending: Ending): void {
  const model = plan.prices[0]?.model ?? 'unknown'
  telemetry.tokensUsed('input', model, charge.inputTokens)
  telemetry.tokensUsed('output', model, charge.outputTokens)
  if (ending.kind !== 'answered' || ending.reading.kind !== 'exact') return
  if (ending.reading.usage.contradictions.length > 0) telemetry.contradicted(plan.call.format)
  const { estimate } = plan
  const over = charge.inputTokens > estimate.inputTokens || charge.outputTokens > estimate.outputTokens
  if (over || (charge.cost ?? 0n) > (estimate.cost ?? charge.cost ?? 0n)) telemetry.estimateViolated(model)
}

/** Where the provider keeps the answer, a later look at it can prove the charge. */
export function fetchableAs({ provider }: Pick<Plan, 'provider'>, ending: Ending): { readonly response?: string } {
  const id = ending.kind === 'answered' ? ending.reading.answerId : undefined
  return id === undefined ? {} : { response: answerHash(provider, id) }
}
