// Accepted objects as the parts of a policy set. Nothing is checked here any more.
import type { LimitVersion } from '../core/budget.ts'
import type { Grant } from '../core/grants.ts'
import type { AccessKey, Policy, PriceList } from '../core/policy.ts'
import type { PolicySetParts } from '../core/policy-set.ts'
import { compileGrant } from './compile-grant.ts'
import { compileAccessKey, compileBudgetPolicy, compileKeyPolicy, compilePriceList } from './compile-objects.ts'
import type { AcceptedObject } from './objects.ts'

export interface VersionedObject {
  readonly object: AcceptedObject
  /** What tells one state of its limits from a later one. */
  readonly version: LimitVersion
}

/** The parts of these objects, in their order. */
export function partsOf(objects: readonly VersionedObject[]): PolicySetParts {
  const policies: Policy[] = []
  const accessKeys: AccessKey[] = []
  const priceLists: PriceList[] = []
  const grants: Grant[] = []
  const namespaces = new Map<string, ReadonlyMap<string, string>>()
  for (const { object, version } of objects) {
    switch (object.kind) {
      case 'BudgetPolicy':
      case 'ClusterBudgetPolicy':
        policies.push(compileBudgetPolicy(object.kind, object, object.spec, version))
        break
      case 'AccessKey': {
        accessKeys.push(compileAccessKey(object, object.spec, version))
        const own = compileKeyPolicy(object, object.spec, version)
        if (own !== null) policies.push(own)
        break
      }
      case 'BudgetGrant':
        grants.push(compileGrant(object, object.spec, version))
        break
      case 'ModelPriceList':
        priceLists.push(compilePriceList(object, object.spec))
        break
      case 'Namespace':
        namespaces.set(object.name, object.labels)
    }
  }
  return { policies, accessKeys, priceLists, grants, namespaces }
}
