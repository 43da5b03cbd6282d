// A real `purser serve` on free ports, and its HTTP door as a client sees it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, freePort, startChild } from './child.ts'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')

/** One row of `/v1/budgets`; amounts are decimal texts in the unit. */
export interface BudgetRow {
  readonly key: string
  readonly namespace: string
  readonly policy: string
  readonly limit: string
  readonly partition: unknown
  readonly unit: string
  readonly window: { readonly kind: string; readonly start: string | null; readonly end: string | null }
  readonly amount: string
  readonly spent: string
  readonly reserved: string
  readonly available: string
  readonly suspense: string
  readonly overrun: string
}

export interface Purser {
  readonly child: Child
  readonly grpcPort: number
  readonly httpPort: number
  budgets(): Promise<BudgetRow[]>
  openReservations(): Promise<number>
  /** Open reservations, by the holder that has them. */
  openByHolder(): Promise<ReadonlyMap<string, number>>
  /** The sum over all label sets of a metric that match `labels`; 0 where there is none. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  metricsText(): Promise<string>
  /** Resident memory in bytes. */
  rss(): number
  /** User and system CPU so far, in ms. */
  cpuMs(): number
}

export interface PurserSetting {
  readonly policies: string
  readonly ledger: string
  readonly ledgerName?: string
  readonly drainSeconds?: number
  /** The port of one that died, so that Envoy finds its successor there. */
  readonly grpcPort?: number
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly launcher?: readonly string[]
}

/** Starts one replica and resolves when it says that it is ready and `/readyz` agrees. */
export async function startPurser(setting: PurserSetting): Promise<Purser> {
  const [grpcPort, httpPort] = [setting.grpcPort ?? (await freePort()), await freePort()]
  const args = ['serve', '--policies', setting.policies, '--ledger', setting.ledger]
  args.push('--grpc-listen', `127.0.0.1:${grpcPort}`, '--http-listen', `127.0.0.1:${httpPort}`)
  if (setting.ledgerName !== undefined) args.push('--ledger-name', setting.ledgerName)
  if (setting.drainSeconds !== undefined) args.push('--drain-seconds', String(setting.drainSeconds))
  const [command = '', ...before] = [...(setting.launcher ?? []), join(ROOT, 'bin/purser')]
  const child = startChild(`purser:${grpcPort}`, command, [...before, ...args, ...(setting.flags ?? [])], setting.env)
  const get = async (path: string): Promise<Response> => await fetch(`http://127.0.0.1:${httpPort}${path}`)
  try {
    await child.line(isReady, 60_000)
    await until('/readyz', 10_000, child, async () => (await get('/readyz')).ok)
  } catch (error) {
    await child.end('SIGKILL')
    throw error
  }

  const pages = async <Row>(path: string, field: string): Promise<Row[]> => {
    const rows: Row[] = []
    let cursor = ''
    do {
      const response = await get(`${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`)
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
      const page = (await response.json()) as Record<string, Row[]> & { next: string | null }
      rows.push(...(page[field] ?? []))
      cursor = page.next ?? ''
    } while (cursor !== '')
    return rows
  }
  const metricsText = async (): Promise<string> => await (await get('/metrics')).text()
  return {
    child,
    grpcPort,
    httpPort,
    budgets: async () => await pages<BudgetRow>('/v1/budgets', 'budgets'),
    openByHolder: async () => {
      const counts = new Map<string, number>()
      for (const { holder } of await pages<{ readonly holder: string }>('/v1/reservations?open=true', 'reservations')) {
        counts.set(holder, (counts.get(holder) ?? 0) + 1)
      }
      return counts
    },
    openReservations: async () => (await pages<unknown>('/v1/reservations?open=true', 'reservations')).length,
    metricsText,
    metric: async (name, labels = {}) => sumOf(await metricsText(), name, labels),
    rss: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? Number.NaN) * 1024,
    cpuMs: () => cpuMs(child.pid),
  }
}

/** User and system CPU of a process so far, in ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function isReady(line: string): boolean {
  try {
    return (JSON.parse(line) as { msg?: string }).msg === 'ready'
  } catch {
    return false
  }
}

function sumOf(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
  let sum = 0
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue
    if (wanted.every(label => line.includes(label))) sum += Number(line.slice(line.lastIndexOf(' ') + 1))
  }
  return sum
}

/** A quantile of a Prometheus histogram in `text`, interpolated within its bucket; NaN where nothing was observed. */
export function histogramQuantile(text: string, name: string, quantile: number): number {
  const buckets = new Map<number, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}_bucket{`)) continue
    const bound = /le="([^"]+)"/.exec(line)?.[1]
    if (bound === undefined) continue
    const upper = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound)
    buckets.set(upper, (buckets.get(upper) ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1)))
  }
  const total = buckets.get(Number.POSITIVE_INFINITY) ?? 0
  let [lower, below] = [0, 0]
  for (const [upper, count] of [...buckets].sort(([a], [b]) => a - b)) {
    if (total > 0 && count >= quantile * total) {
      return upper === Number.POSITIVE_INFINITY
        ? upper
        : lower + ((upper - lower) * (quantile * total - below)) / Math.max(1, count - below)
    }
    ;[lower, below] = [upper, count]
  }
  return Number.NaN
}
