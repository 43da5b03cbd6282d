// What a Lease says of leadership, and what a candidate writes into it. Knows no API; compares no clock of another with its own.
import { LEASE_MS } from '../limits.ts'

/** A coordination.k8s.io/v1 Lease, as far as it is read; whatever else others wrote into it goes back as it came. */
export interface Lease {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion?: string }
  readonly spec: LeaseSpec
}

export interface LeaseSpec {
  /** Empty or absent: nobody's. */
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  readonly acquireTime?: string
  readonly renewTime?: string
  readonly leaseTransitions?: number
}

/** The Lease in an answer; null where it is none. */
export function leaseIn(body: unknown): Lease | null {
  const { metadata, spec } = (body ?? {}) as { metadata?: Partial<Lease['metadata']>; spec?: unknown }
  if (typeof metadata?.name !== 'string' || typeof metadata.resourceVersion !== 'string') return null
  return { ...(body as Lease), spec: typeof spec === 'object' && spec !== null ? spec : {} }
}

/** A new Lease of ours. */
export const firstLease = (name: string, namespace: string, identity: string, nowMs: number): Lease => ({
  ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
  metadata: { name, namespace },
  spec: held({}, identity, nowMs),
})

/** The same Lease, held by us from now or from before. */
export const heldLease = (lease: Lease, identity: string, nowMs: number): Lease => ({
  ...lease,
  spec: held(lease.spec, identity, nowMs),
})

/** The same Lease, given up: whoever reads it may take it at once. */
export const releasedLease = (lease: Lease, nowMs: number): Lease => ({
  ...lease,
  spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: microTime(nowMs), renewTime: microTime(nowMs) },
})

function held(before: LeaseSpec, identity: string, nowMs: number): LeaseSpec {
  const now = microTime(nowMs)
  const isOurs = before.holderIdentity === identity
  const taken = before.holderIdentity === undefined ? 0 : (before.leaseTransitions ?? 0) + 1
  return {
    ...before,
    holderIdentity: identity,
    leaseDurationSeconds: LEASE_MS / 1_000,
    acquireTime: isOurs ? (before.acquireTime ?? now) : now,
    renewTime: now,
    leaseTransitions: isOurs ? (before.leaseTransitions ?? 0) : taken,
  }
}

/**
 * How a candidate watches a leader: by when the record last changed before its eyes, on its own monotonic clock. The times in the record
 * are for people; clocks of two machines are never compared (as client-go does).
 */
export class LeaseWatch {
  #record = ''
  #changedMs = 0

  /** Whether somebody else holds the lease, as seen at `nowMs` (monotonic). */
  isHeldByOther({ spec }: Lease, identity: string, nowMs: number): boolean {
    const record = JSON.stringify(spec)
    if (record !== this.#record) [this.#record, this.#changedMs] = [record, nowMs]
    const holder = spec.holderIdentity ?? ''
    if (holder === '' || holder === identity) return false
    return nowMs < this.#changedMs + (spec.leaseDurationSeconds ?? LEASE_MS / 1_000) * 1_000
  }
}

/** The form of MicroTime: the API refuses any other. */
export const microTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000Z`
