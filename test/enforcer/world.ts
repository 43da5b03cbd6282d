// An enforcer over the real rooms and a ledger in memory, on a clock that the test steps.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GrantBook } from '../../src/core/grants.ts'
import { PartitionRegistry } from '../../src/core/partition.ts'
import { compilePolicySet } from '../../src/core/policy-set.ts'
import type { Balance } from '../../src/core/reservation.ts'
import { ShareBook } from '../../src/core/shares.ts'
import { windowAt } from '../../src/core/window.ts'
import { createEnforcer, type Enforcer } from '../../src/enforcer/enforcer.ts'
import { sha256 } from '../../src/enforcer/identify.ts'
import { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import { loadObjects } from '../../src/files/load.ts'
import { PARTITION_BYTES_MAX } from '../../src/limits.ts'
import { openMemoryLedger } from '../../src/memory/ledger.ts'
import type { Clock, Ledger, PolicySource } from '../../src/ports.ts'
import { createPriceSource } from '../../src/prices/source.ts'
import { systemRandom, systemTimer } from '../../src/system.ts'
import { type SilentTelemetry, silentTelemetry } from './silent-telemetry.ts'

export interface World {
  readonly enforcer: Enforcer
  readonly telemetry: SilentTelemetry
  readonly ledger: Ledger
  open(): Lifecycle
  /** The balance of the one unpartitioned limit of this name. */
  balance(limit: string): Promise<Balance>
  /** Lets settlements arrive. */
  settled(): Promise<void>
  step(ms: number): void
}

export const NOW: number = Date.parse('2026-11-24T12:00:00Z')

/** `policies`: YAML. `wrap` may stand between the enforcer and its ledger, or give another one, which `balance` does not see. */
export async function openWorld(policies: string, wrap: (ledger: Ledger, clock: Clock) => Ledger = ledger => ledger): Promise<World> {
  let nowMs = NOW
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs }
  const source = await policySource(policies)
  const ledger = openMemoryLedger({ clock })
  const telemetry = silentTelemetry()
  const seen = wrap(ledger, clock)
  const identity = { defaultNamespace: 'default', requireKey: false, trustedHeaders: [], trustXfcc: false, jwtPayloadKey: null }
  const prices = createPriceSource(() => source.current().priceLists)
  const enforcer = createEnforcer({
    ledger: seen,
    policies: source,
    prices,
    clock,
    timer: systemTimer,
    random: systemRandom,
    telemetry,
    identity,
    unbudgeted: 'allow',
  })
  const { settler } = enforcer
  await ledger.beat(enforcer.holder)
  return {
    enforcer,
    telemetry,
    ledger,
    open: () => new Lifecycle(enforcer),
    balance: async name => {
      const declared = source
        .current()
        .declared()
        .find(one => one.limit.name === name)
      if (declared === undefined) throw new Error(`no limit is called ${name}`)
      const read = await ledger.read([{ key: declared.key, window: windowAt(declared.limit.window, nowMs) }])
      const balance = read.kind === 'read' ? read.value[0] : null
      return (
        balance ?? { limit: declared.limit.amount, available: declared.limit.amount, reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n }
      )
    },
    settled: async () => {
      await settler.drain(1_000)
    },
    step: ms => {
      nowMs += ms
    },
  }
}

async function policySource(yaml: string): Promise<PolicySource> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-test-'))
  try {
    writeFileSync(join(folder, 'policies.yaml'), yaml)
    const loaded = await loadObjects([folder], { trustedHeaders: [], defaultNamespace: 'default', nowMs: NOW })
    if (loaded.parts === null) throw new Error(loaded.problems.join('\n'))
    const grants = new GrantBook()
    grants.replace(loaded.parts.grants, NOW)
    const options = { sha256, partitions: new PartitionRegistry(), partitionBytesMax: PARTITION_BYTES_MAX, grants, shares: new ShareBook() }
    const set = compilePolicySet(loaded.parts, options)
    return { current: () => set, onChange: () => {}, close: async () => {} }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
