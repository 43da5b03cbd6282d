// Who holds a key's hash where several AccessKeys claim it: the oldest, so that nobody takes over a key by writing its hash down again.
import type { AccessKey } from '../core/policy.ts'
import type { PolicyIndex } from '../core/policy-index.ts'

/** A hash of a key that another key holds. Names are namespace/name. */
export interface Contest {
  readonly key: string
  /** Its place in `keyHashes`. */
  readonly at: number
  readonly holder: string
}

interface Claim {
  readonly name: string
  readonly createdMs: number
  readonly key: AccessKey
  /** What the index has of it: the key with the hashes that it holds. */
  inForce: AccessKey | null
}

/** Keeps the keys of an index: each with the hashes that it holds. */
export class KeyClaims {
  /** The keys that claim a hash of the one that was put or removed last, itself among them: their standing may be another now. */
  touched: readonly string[] = []
  readonly #index: PolicyIndex
  readonly #claims = new Map<string, Claim>()
  /** The claims on a hash, the holder first. */
  readonly #byHash = new Map<string, readonly Claim[]>()

  constructor(index: PolicyIndex) {
    this.#index = index
  }

  /** Puts a key in the place of the one of its name. Answers the hashes that it and another claim, with those who do not hold them. */
  put(key: AccessKey, createdMs: number): readonly Contest[] {
    const name = nameOf(key)
    const before = this.#claims.get(name)
    const claim: Claim = { name, createdMs, key, inForce: null }
    this.#claims.set(name, claim)
    this.#change(before, claim)
    return key.keyHashes.flatMap(hash => {
      const [holder, ...losers] = this.#byHash.get(hash) ?? []
      return losers.map(loser => ({ key: loser.name, at: loser.key.keyHashes.indexOf(hash), holder: holder?.name ?? '' }))
    })
  }

  remove(key: { readonly namespace: string; readonly name: string }): void {
    const before = this.#claims.get(nameOf(key))
    this.#claims.delete(nameOf(key))
    this.#change(before, undefined)
  }

  /** The hashes of a key that others hold; `name` is namespace/name. */
  contestsOf(name: string): readonly Contest[] {
    return (this.#claims.get(name)?.key.keyHashes ?? []).flatMap((hash, at) => {
      const holder = this.#byHash.get(hash)?.[0]?.name ?? name
      return holder === name ? [] : [{ key: name, at, holder }]
    })
  }

  /** Looks at nobody but the two and those who claim a hash of theirs. */
  #change(before: Claim | undefined, after: Claim | undefined): void {
    const hashes = new Set([...(before?.key.keyHashes ?? []), ...(after?.key.keyHashes ?? [])])
    for (const hash of hashes) {
      const claims = (this.#byHash.get(hash) ?? []).filter(claim => claim !== before)
      if (after?.key.keyHashes.includes(hash)) claims.push(after)
      if (claims.length === 0) this.#byHash.delete(hash)
      else this.#byHash.set(hash, claims.sort(oldestFirst))
    }
    const touched = new Set([...hashes].flatMap(hash => this.#byHash.get(hash) ?? []))
    this.touched = [...touched].map(({ name }) => name)
    // All leave before any enters: a hash is never held twice.
    for (const claim of [before, ...touched]) {
      if (claim?.inForce) this.#index.removeKey(claim.inForce)
      if (claim !== undefined) claim.inForce = null
    }
    for (const claim of touched) {
      const keyHashes = claim.key.keyHashes.filter(hash => this.#byHash.get(hash)?.[0] === claim)
      if (keyHashes.length === 0) continue
      claim.inForce = { ...claim.key, keyHashes }
      this.#index.putKey(claim.inForce)
    }
  }
}

const nameOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string => `${namespace}/${name}`

const oldestFirst = (a: Claim, b: Claim): number => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1)
