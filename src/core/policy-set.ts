// The policy set of a folder: all of its parts indexed at once. Never half of them.
import { assert } from './assert.ts'
import type { PolicySetOptions } from './compiled-policy.ts'
import type { Grant } from './grants.ts'
import type { AccessKey, Policy, PolicySet, PriceList } from './policy.ts'
import { PolicyIndex } from './policy-index.ts'

/** What a set is made of. Policies of scope `AccessKey` carry the name of their key. Names are unique within scope and namespace. */
export interface PolicySetParts {
  readonly policies: readonly Policy[]
  readonly accessKeys: readonly AccessKey[]
  readonly priceLists: readonly PriceList[]
  readonly grants: readonly Grant[]
  /** Labels of the known namespaces; every namespace has `kubernetes.io/metadata.name` besides. */
  readonly namespaces: ReadonlyMap<string, ReadonlyMap<string, string>>
}

/** Compiles a set, whose grants are for whoever keeps {@link PolicySetOptions.grants}; the answer does not depend on the order of the parts. Duplicate names and key hashes are programmer errors. */
export function compilePolicySet(parts: PolicySetParts, options: PolicySetOptions): PolicySet {
  const index = new PolicyIndex(options)
  const names = new Set<string>()
  for (const policy of parts.policies) {
    const name = `${policy.scope} ${policy.namespace}/${policy.name}`
    assert(!names.has(name), `one ${name}`)
    names.add(name)
    index.put(policy)
  }
  for (const key of parts.accessKeys) index.putKey(key)
  for (const list of parts.priceLists) index.putPriceList(list)
  for (const [name, labels] of parts.namespaces) index.putNamespace(name, labels)
  return index
}
