// An accepted BudgetGrant to what the core knows, and the exact amounts and births that other objects have too. Nothing is checked here any more.
import { assert } from '../core/assert.ts'
import type { LimitVersion } from '../core/budget.ts'
import type { Grant } from '../core/grants.ts'
import { parseDecimalUp } from '../core/money.ts'
import type { ObjectName } from '../core/subject.ts'
import { instantMs } from './instant.ts'
import type { BudgetGrantSpec } from './objects.ts'

/** One without `startsAt` counts from when it is seen. */
export function compileGrant({ namespace, name }: ObjectName, spec: BudgetGrantSpec, version: LimitVersion): Grant {
  const { kind: scope, name: policy, limit, partition } = spec.policyRef
  return {
    namespace,
    name,
    policy: { scope, namespace: scope === 'ClusterBudgetPolicy' ? '' : namespace, name: policy },
    limit,
    partition: partition ?? null,
    billionths: decimal(spec.amount, 9),
    createdMs: bornMs(version),
    startsMs: spec.startsAt === undefined ? 0 : instantMs(spec.startsAt),
    expiresMs: instantMs(spec.expiresAt),
  }
}

/** Of a cluster the creation of an object; files only know their last change. */
export const bornMs = ({ createdMs, generation }: LimitVersion): number => (createdMs === 0 ? generation : createdMs)

export function decimal(text: string, places: number): bigint {
  const value = parseDecimalUp(text, places)
  assert(value !== null, 'the schema lets no other amount through')
  return value
}
