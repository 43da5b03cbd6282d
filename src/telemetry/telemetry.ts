// The Telemetry port over metrics and logs.
import type { BudgetWarning } from '../core/warning.ts'
import type { Telemetry } from '../ports.ts'
import type { Log, RefusalSums } from './logs.ts'
import type { Metrics } from './metrics.ts'

/** `webhook`: where warnings go besides, null for nowhere. */
export function createTelemetry(
  metrics: Metrics,
  log: Log,
  refusals: RefusalSums,
  webhook: ((warning: BudgetWarning) => void) | null,
): Telemetry {
  const debug = log.isLevelEnabled('debug')
  return {
    decided: (decision, reason, seconds) => {
      metrics.decisions.inc({ decision, reason })
      metrics.decisionSeconds.observe({ decision }, seconds)
      if (decision === 'refused') refusals.add(reason)
    },
    audited: (reason, policy) => metrics.audited.inc({ reason, namespace: policy?.namespace ?? '', policy: policy?.name ?? '' }),
    closed: how => metrics.closed.inc({ how }),
    ledgerError: kind => metrics.ledgerErrors.inc({ kind }),
    ledgerMemory: ratio => metrics.ledgerMemory.set(ratio),
    estimateViolated: model => {
      metrics.estimateViolations.inc({ model })
      log.warn({ model }, 'a call cost more than its estimate')
    },
    overrun: nanoUsd => metrics.overrunUsd.inc(Number(nanoUsd) / 1e9),
    warned: warning => {
      const { policy, limit } = warning.bound
      const budget = { namespace: policy.namespace, policy: policy.name, limit: limit.name, percent: warning.percent }
      metrics.warnings.inc({ ...budget, percent: String(budget.percent) })
      // Whose partition it is may be a header's value.
      log.warn({ ...budget, unit: limit.unit }, 'a budget reached a percentage of its amount')
      webhook?.(warning)
    },
    contradicted: format => metrics.contradictions.inc({ format }),
    tokensUsed: (kind, model, count) =>
      metrics.tokenUsage.observe({ gen_ai_token_type: kind, gen_ai_response_model: model }, Number(count)),
    trace: (what, fields) => {
      if (debug) log.debug(fields, what)
    },
    fault: (what, fields) => log.warn(fields, what),
  }
}
