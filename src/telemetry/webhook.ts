// A webhook for warnings: a signed CloudEvent to one address, tried again for a quarter of an hour. Never follows a redirect, never says the
// secret, and never holds anything up.
import { createHmac } from 'node:crypto'
import { formatAmount } from '../core/budget.ts'
import type { BudgetWarning } from '../core/warning.ts'
import { WEBHOOK_PENDING_MAX, WEBHOOK_RETRIES_MS, WEBHOOK_TIMEOUT_MS } from '../limits.ts'
import type { Clock, Timer } from '../ports.ts'
import type { Log } from './logs.ts'

export interface WebhookOptions {
  readonly url: string
  readonly secret: Uint8Array
  /** The name of the ledger, which is the event's source. */
  readonly ledger: string
  readonly clock: Clock
  readonly timer: Timer
  readonly log: Log
}

/** Answers how to send a warning. */
export function createWebhook({ url, secret, ledger, clock, timer, log }: WebhookOptions): (warning: BudgetWarning) => void {
  let pending = 0
  const attempt = async (id: string, body: string, tries: number): Promise<void> => {
    const answer = await post(url, signed(secret, id, body, Math.floor(clock.wallMs() / 1_000)), body)
    const again = WEBHOOK_RETRIES_MS[tries]
    if (answer === 'taken' || again === undefined) {
      pending--
      if (answer !== 'taken') log.warn({ id, tries: tries + 1, answer }, 'a warning was not taken by its webhook')
      return
    }
    timer.after(again, () => void attempt(id, body, tries + 1))
  }
  return warning => {
    if (pending >= WEBHOOK_PENDING_MAX) {
      log.warn({ id: warning.id, pending }, 'a warning was dropped, its webhook takes none')
      return
    }
    pending++
    void attempt(warning.id, JSON.stringify(warningEvent(ledger, warning, clock.wallMs())), 0)
  }
}

/** The headers of one attempt, as https://www.standardwebhooks.com has them: HMAC-SHA256 of id, timestamp and body. */
export function signed(secret: Uint8Array, id: string, body: string, atSeconds: number): Readonly<Record<string, string>> {
  const signature = createHmac('sha256', secret).update(`${id}.${atSeconds}.${body}`).digest('base64')
  return {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'webhook-id': id,
    'webhook-timestamp': String(atSeconds),
    'webhook-signature': `v1,${signature}`,
  }
}

/** `taken` for any 2xx; else the status, or what failed. */
async function post(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<string> {
  try {
    const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS) })
    await answer.body?.cancel()
    return answer.ok ? 'taken' : String(answer.status)
  } catch (fault) {
    return fault instanceof Error ? fault.name : 'failed'
  }
}

/** The warning as a CloudEvents 1.0 event; amounts are decimal strings in the unit, times RFC 3339 in UTC. */
function warningEvent(ledger: string, { id, bound, window, percent, balance }: BudgetWarning, nowMs: number): object {
  const { key, policy, limit, partition } = bound
  const text = (amount: bigint): string => formatAmount(amount, limit.unit)
  const { scope, namespace, name } = policy
  const at = (ms: number): string => new Date(ms).toISOString()
  return {
    specversion: '1.0',
    id,
    source: `/purser/ledgers/${ledger}`,
    type: 'dev.purser.budget.warning',
    subject: key,
    time: at(nowMs),
    datacontenttype: 'application/json',
    data: {
      budget: { key, scope, namespace: namespace === '' ? null : namespace, policy: name, limit: limit.name, unit: limit.unit, partition },
      window: window.kind === 'calendar' ? { kind: window.kind, start: at(window.startMs), end: at(window.endMs) } : { kind: window.kind },
      percent,
      amount: text(balance.limit),
      spent: text(balance.spent),
      reserved: text(balance.reserved),
      available: text(balance.available),
    },
  }
}
