// What is counted, as Prometheus metrics. Labels are closed lists of ours or names out of policies and the price book: nothing a client sent.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  readonly registry: Registry
  readonly decisions: Counter<'decision' | 'reason'>
  readonly decisionSeconds: Histogram<'decision'>
  readonly audited: Counter<'reason' | 'namespace' | 'policy'>
  readonly closed: Counter<'how'>
  readonly ledgerErrors: Counter<'kind'>
  readonly ledgerMemory: Gauge
  readonly estimateViolations: Counter<'model'>
  readonly overrunUsd: Counter
  readonly warnings: Counter<'namespace' | 'policy' | 'limit' | 'percent'>
  readonly contradictions: Counter<'format'>
  readonly tokenUsage: Histogram<'gen_ai_token_type' | 'gen_ai_response_model'>
  readonly openExchanges: Gauge
}

const DECISION_BUCKETS = [0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1]
/** The boundaries of the OpenTelemetry semantic conventions for gen_ai.client.token.usage. */
const TOKEN_BUCKETS = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864]

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'purser_' })
  loopLag(registry)
  return {
    registry,
    decisions: new Counter({ name: 'purser_decisions_total', help: 'Calls decided', labelNames: ['decision', 'reason'], registers }),
    decisionSeconds: new Histogram({
      name: 'purser_decision_duration_seconds',
      help: 'From the body of a request to its verdict',
      labelNames: ['decision'],
      buckets: DECISION_BUCKETS,
      registers,
    }),
    audited: new Counter({
      name: 'purser_audited_refusals_total',
      help: 'Calls that passed, and that policies in Audit mode would have refused',
      labelNames: ['reason', 'namespace', 'policy'],
      registers,
    }),
    closed: new Counter({ name: 'purser_reservations_closed_total', help: 'Reservations closed', labelNames: ['how'], registers }),
    ledgerErrors: new Counter({
      name: 'purser_ledger_errors_total',
      help: 'Moves that the ledger did not take',
      labelNames: ['kind'],
      registers,
    }),
    ledgerMemory: new Gauge({
      name: 'purser_ledger_memory_ratio',
      help: 'Memory that Redis holds, of the maxmemory that it may use',
      registers,
    }),
    estimateViolations: new Counter({
      name: 'purser_estimate_violations_total',
      help: 'Calls that cost more than their estimate',
      labelNames: ['model'],
      registers,
    }),
    overrunUsd: new Counter({ name: 'purser_overrun_usd_total', help: 'US dollars charged beyond what was reserved', registers }),
    warnings: new Counter({
      name: 'purser_budget_warnings_total',
      help: 'Budgets that reached a percentage of their amount',
      labelNames: ['namespace', 'policy', 'limit', 'percent'],
      registers,
    }),
    contradictions: new Counter({
      name: 'purser_usage_contradictions_total',
      help: 'Usage reports that contradict themselves',
      labelNames: ['format'],
      registers,
    }),
    tokenUsage: new Histogram({
      name: 'gen_ai_client_token_usage',
      help: 'Tokens charged a call',
      labelNames: ['gen_ai_token_type', 'gen_ai_response_model'],
      buckets: TOKEN_BUCKETS,
      registers,
    }),
    openExchanges: new Gauge({ name: 'purser_open_exchanges', help: 'Exchanges open at the door', registers }),
  }
}

/** The longest hold of the event loop since the last scrape: what delays every verdict and every token of a stream. */
function loopLag(registry: Registry): void {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  new Gauge({
    name: 'purser_event_loop_lag_max_seconds',
    help: 'Longest hold of the event loop since the last scrape',
    registers: [registry],
    collect() {
      this.set(delay.count === 0 ? 0 : delay.max / 1e9)
      delay.reset()
    },
  })
}
