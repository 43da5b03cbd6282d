// Balances of the limits that are not partitioned, as gauges. Read from the ledger at scrape time, at most every ten seconds.
import { Gauge, type Registry } from 'prom-client'
import { unitPlaces } from '../core/budget.ts'
import { isOneBudget, limitAt } from '../core/grants.ts'
import type { DeclaredLimit } from '../core/policy.ts'
import type { Balance } from '../core/reservation.ts'
import { windowAt } from '../core/window.ts'
import type { Ledger, PolicySource } from '../ports.ts'

const READ_EVERY_MS = 10_000
const LABELS = ['namespace', 'policy', 'limit', 'unit'] as const

export function registerBudgetGauges(registry: Registry, ledger: Ledger, policies: PolicySource, nowMs: () => number): void {
  const gauge = (part: string, help: string): Gauge<(typeof LABELS)[number]> =>
    new Gauge({ name: `purser_budget_${part}`, help, labelNames: LABELS, registers: [registry] })
  const parts = {
    limit: gauge('limit', 'The amount of a limit, in its unit'),
    spent: gauge('spent', 'Spent in the current window, in the unit of the limit'),
    reserved: gauge('reserved', 'Reserved by open calls, in the unit of the limit'),
    suspense: gauge('suspense', 'Charged without proof, inside spent'),
  }
  let readAt = Number.NEGATIVE_INFINITY
  const refresh = async (): Promise<void> => {
    const now = nowMs()
    if (now - readAt < READ_EVERY_MS) return
    readAt = now
    const declared = policies.current().declared().filter(isOneBudget)
    const read = await ledger.read(declared.map(({ key, limit }) => ({ key, window: windowAt(limit.window, now) })))
    if (read.kind !== 'read') return
    for (const part of Object.values(parts)) part.reset()
    declared.forEach((limit, index) => {
      show(limit, read.value[index] ?? null, now)
    })
  }
  const show = (declared: DeclaredLimit, balance: Balance | null, now: number): void => {
    const { policy, limit } = declared
    const labels = { namespace: policy.namespace, policy: policy.name, limit: limit.name, unit: limit.unit }
    // A gauge is a picture, not an account: here, and nowhere else, an amount becomes a double.
    const value = (amount: bigint): number => Number(amount) / 10 ** unitPlaces(limit.unit)
    parts.limit.set(labels, value(limitAt(declared, [], now).amount))
    parts.spent.set(labels, value(balance?.spent ?? 0n))
    parts.reserved.set(labels, value(balance?.reserved ?? 0n))
    parts.suspense.set(labels, value(balance?.suspense ?? 0n))
  }
  const collect = parts.limit as Gauge & { collect: () => Promise<void> }
  collect.collect = refresh
}
