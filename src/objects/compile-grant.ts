// An accepted BudgetGrant to what the core knows. Nothing is checked here any more.
import type { LimitVersion } from '../core/budget.ts'
import type { Grant } from '../core/grants.ts'
import type { ObjectName } from '../core/subject.ts'
import { decimal } from './decimal.ts'
import { bornMs, instantMs } from './instant.ts'
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
