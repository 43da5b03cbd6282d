// What policies that only audit would have refused: found beside a decision, and never in its way.
import { verdictOnShortfall } from '../core/refusal.ts'
import type { Balance } from '../core/reservation.ts'
import type { Verdict } from '../core/verdict.ts'
import type { Reservation } from './admit.ts'
import { type Plan, type PlanInput, planCall } from './plan.ts'

/** The refusal of a call that was not refused, were every policy that binds it enforced; null where there would be none. */
export function auditedPlan(input: PlanInput): Verdict | null {
  const { asEnforced } = input.bound
  if (asEnforced === null) return null
  const planned = planCall({ ...input, bound: asEnforced() })
  return planned.kind === 'refused' ? planned.verdict : null
}

/** The refusal that soft lines would have been, by their balances as they are with this reservation; null where all of them fit. */
export function auditedShortfall(plan: Plan, { lines }: Reservation, balances: readonly Balance[], nowMs: number): Verdict | null {
  const shortfalls = lines.flatMap((line, index) => {
    const [bound, balance] = [plan.binding.limits[index], balances[index]]
    if (line.hard || bound === undefined || balance === undefined || balance.available >= 0n) return []
    const before = { ...balance, reserved: balance.reserved - line.amount, available: balance.available + line.amount }
    return [{ bound, line, balance: before, fitsMs: null }]
  })
  return shortfalls.length === 0 ? null : verdictOnShortfall(shortfalls, nowMs, 0)
}
