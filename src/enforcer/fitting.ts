// The cheapest model that a refused call could have asked for instead: permitted, and within what the ledger said is left. Asks nobody again.
import type { Shortfall } from '../core/refusal.ts'
import { windowText } from '../core/window.ts'
import { FITTING_TRIED_MAX } from '../limits.ts'
import { linesOf, type Plan, planCall } from './plan.ts'
import type { WaysInput } from './ways.ts'

/** Null where none of those that policies name is known to fit. Looks at substitutes and at whole names that policies allow, a few at most. */
export function cheapestThatFits(input: WaysInput, asked: Plan, misfits: readonly Shortfall[]): string | null {
  const { call } = input
  const [own, ...others] = call.models
  if (!call.generates || own === undefined || others.length > 0) return null
  const room = roomOf(asked, misfits, input.nowMs)
  let found: { readonly model: string; readonly cost: bigint } | null = null
  for (const model of namesOf(asked, own)) {
    const planned = planCall({ ...input, call: { ...call, models: [model] } })
    if (planned.kind !== 'plan') continue
    const { plan } = planned
    const { cost } = plan.estimate
    if (cost === null || (found !== null && found.cost <= cost)) continue
    const fits = linesOf(plan, input.nowMs).every(line => !line.hard || line.amount <= (room.get(nameOf(line)) ?? -1n))
    if (fits) found = { model, cost }
  }
  return found?.model ?? null
}

/** What each budget of the call is known to have: of those that refused, what is left; of the others, at least what was asked of them. */
function roomOf(asked: Plan, misfits: readonly Shortfall[], nowMs: number): ReadonlyMap<string, bigint> {
  const room = new Map(linesOf(asked, nowMs).map(line => [nameOf(line), line.amount]))
  for (const { line, balance } of misfits) room.set(nameOf(line), balance.available)
  return room
}

const nameOf = ({ key, window }: Shortfall['line']): string => `${key} ${windowText(window)}`

function namesOf({ binding }: Plan, own: string): readonly string[] {
  const allowed = binding.policies.flatMap(({ permissions }) => permissions.models.allow).filter(name => !name.includes('*'))
  return [...new Set([...binding.concessions.substitutes, ...allowed])].filter(name => name !== own).slice(0, FITTING_TRIED_MAX)
}
