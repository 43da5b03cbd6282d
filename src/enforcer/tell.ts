// What an answer tells of its call: what was conceded, always; what it reserved and what is left, where the policy exposes that. Decides nothing.
import { formatAmount, type Unit } from '../core/budget.ts'
import type { BoundLimit } from '../core/policy.ts'
import type { Balance, Line } from '../core/reservation.ts'
import type { Window } from '../core/window.ts'
import { TOLD_LIMITS_MAX } from '../limits.ts'
import type { HeaderChange } from './exchange.ts'
import type { Plan } from './plan.ts'
import { budgetText } from './refuse.ts'
import type { Passage, Way } from './ways.ts'

/** What was done to a call that leaves unmetered, and the model that its provider is asked for. */
export const tellPassage = (passage: Passage): HeaderChange => ({ set: actions(passage), remove: [] })

/** The same of one that is reserved for. `balances` answer `lines` one to one, or are empty where the ledger did not say them. */
export function tellReserved(way: Way, lines: readonly Line[], balances: readonly Balance[], nowMs: number): HeaderChange {
  return { set: [...actions(way), ...balancesOf(way.plan, lines, balances, nowMs)], remove: [] }
}

function actions({ call, rename, conceded }: Passage): [string, string][] {
  if (conceded.length === 0) return []
  return [
    ['x-purser-action', conceded.join(', ')],
    ['x-purser-model', rename ?? call.models[0] ?? ''],
  ]
}

function balancesOf(plan: Plan, lines: readonly Line[], balances: readonly Balance[], nowMs: number): [string, string][] {
  const exposed = plan.binding.limits.flatMap((bound, index): Exposed[] => {
    const [line, balance] = [lines[index], balances[index]]
    return bound.response.exposeBalance && line !== undefined && balance !== undefined ? [{ bound, line, balance }] : []
  })
  return [...money(exposed), ...rates(exposed, nowMs)]
}

interface Exposed {
  readonly bound: BoundLimit
  readonly line: Line
  readonly balance: Balance
}

/** USD as decimals: what was reserved, and the least that any of the budgets has left. */
function money(exposed: readonly Exposed[]): [string, string][] {
  const [first, ...others] = exposed.filter(({ line }) => line.unit === 'USD' && line.window.kind !== 'inFlight')
  if (first === undefined) return []
  let least = first.balance.available
  for (const { balance } of others) if (balance.available < least) least = balance.available
  return [
    ['x-purser-reserved', formatAmount(first.line.amount, 'USD')],
    ['x-purser-remaining', formatAmount(least, 'USD')],
  ]
}

/** Limits on tokens and requests as draft-ietf-httpapi-ratelimit-headers-10 writes them; tokens are a unit of ours. */
function rates(exposed: readonly Exposed[], nowMs: number): [string, string][] {
  const counted = exposed.filter(({ line }) => line.unit !== 'USD').slice(0, TOLD_LIMITS_MAX)
  if (counted.length === 0) return []
  const policies = counted.map(({ bound, line, balance }) => {
    const span = spanSeconds(line.window)
    return `"${nameOf(bound)}";q=${balance.limit}${span === null ? '' : `;w=${span}`}${unitOf(line.unit, line.window)}`
  })
  const left = counted.map(({ bound, line, balance }) => {
    const resets = line.window.kind === 'calendar' ? `;t=${Math.max(0, Math.ceil((line.window.endMs - nowMs) / 1_000))}` : ''
    return `"${nameOf(bound)}";r=${balance.available < 0n ? 0n : balance.available}${resets}`
  })
  return [
    ['ratelimit-policy', policies.join(', ')],
    ['ratelimit', left.join(', ')],
  ]
}

const nameOf = (bound: BoundLimit): string => budgetText({ policy: bound.policy, limit: bound.limit.name })

/** Null for windows that have no length. */
function spanSeconds(window: Window): number | null {
  if (window.kind === 'calendar') return Math.round((window.endMs - window.startMs) / 1_000)
  return window.kind === 'sliding' ? Math.round(window.lengthMs / 1_000) : null
}

/** Requests in a span of time are the unit where none is named. */
function unitOf(unit: Unit, { kind }: Window): string {
  if (unit === 'Requests') return kind === 'inFlight' ? ';qu="concurrent-requests"' : ''
  return `;qu="${{ Tokens: 'tokens', InputTokens: 'input-tokens', OutputTokens: 'output-tokens', USD: 'usd' }[unit]}"`
}
