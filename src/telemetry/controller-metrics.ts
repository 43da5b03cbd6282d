// The controller's metrics, under the names of controller-runtime and client-go, so that dashboards and alerts for those fit it.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ControllerTelemetry } from '../ports.ts'
import type { Log } from './logs.ts'

/** The label of all of them: there is one queue, and one reconciler. */
const NAME = 'status'
/** Of client-go's workqueue and of controller-runtime, thinned: nothing here takes microseconds. */
const SECONDS = [0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export interface ControllerMetrics {
  readonly registry: Registry
  readonly telemetry: ControllerTelemetry
}

export function createControllerMetrics(log: Log, leaseName: string): ControllerMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'purser_' })
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames, registers })
  const histogram = <Label extends string>(name: string, help: string, labelNames: Label[]): Histogram<Label> =>
    new Histogram({ name, help, labelNames, buckets: SECONDS, registers })
  const total = counter('controller_runtime_reconcile_total', 'Objects reconciled, by result', ['controller', 'result'])
  const errors = counter('controller_runtime_reconcile_errors_total', 'Objects whose status could not be written', ['controller'])
  const time = histogram('controller_runtime_reconcile_time_seconds', 'How long an object took', ['controller'])
  const depth = new Gauge({ name: 'workqueue_depth', help: 'Objects that wait for their turn', labelNames: ['name'], registers })
  const adds = counter('workqueue_adds_total', 'Objects added to the queue', ['name'])
  const retries = counter('workqueue_retries_total', 'Objects added again after a failure', ['name'])
  const waits = histogram('workqueue_queue_duration_seconds', 'How long an object waited for its turn', ['name'])
  const work = histogram('workqueue_work_duration_seconds', 'How long an object was worked on', ['name'])
  const leads = new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this process leads: 1, or 0',
    labelNames: ['name'],
    registers,
  })
  errors.inc({ controller: NAME }, 0)
  depth.set({ name: NAME }, 0)
  leads.set({ name: leaseName }, 0)
  const telemetry: ControllerTelemetry = {
    reconciled: (result, seconds) => {
      total.inc({ controller: NAME, result })
      if (result === 'error') errors.inc({ controller: NAME })
      time.observe({ controller: NAME }, seconds)
      work.observe({ name: NAME }, seconds)
    },
    queueAdded: () => adds.inc({ name: NAME }),
    queueRetried: () => retries.inc({ name: NAME }),
    queueDepth: count => depth.set({ name: NAME }, count),
    queueWaited: seconds => waits.observe({ name: NAME }, seconds),
    leading: isLeading => leads.set({ name: leaseName }, isLeading ? 1 : 0),
    say: (what, fields) => log.info(fields, what),
    fault: (what, fields) => log.warn(fields, what),
  }
  return { registry, telemetry }
}
