// The controller's metrics under the names that dashboards of other controllers ask for.
import { describe, expect, it } from 'vitest'
import { createControllerMetrics } from '../../src/telemetry/controller-metrics.ts'
import { createLog } from '../../src/telemetry/logs.ts'

describe('the metrics of the controller', () => {
  it('have the names of controller-runtime and client-go, and count what happened', async () => {
    const lines: string[] = []
    const { registry, telemetry } = createControllerMetrics(
      createLog('info', { write: line => void lines.push(line) }),
      'purser-controller',
    )
    telemetry.reconciled('success', 0.01)
    telemetry.reconciled('error', 0.2)
    telemetry.queueAdded()
    telemetry.queueRetried()
    telemetry.queueDepth(3)
    telemetry.queueWaited(0.5)
    telemetry.leading(true)
    telemetry.fault('it is broken', { why: 'so' })
    const page = (await registry.metrics()).split('\n')
    for (const line of [
      'controller_runtime_reconcile_total{controller="status",result="success"} 1',
      'controller_runtime_reconcile_total{controller="status",result="error"} 1',
      'controller_runtime_reconcile_errors_total{controller="status"} 1',
      'controller_runtime_reconcile_time_seconds_count{controller="status"} 2',
      'workqueue_depth{name="status"} 3',
      'workqueue_adds_total{name="status"} 1',
      'workqueue_retries_total{name="status"} 1',
      'workqueue_queue_duration_seconds_count{name="status"} 1',
      'workqueue_work_duration_seconds_count{name="status"} 2',
      'leader_election_master_status{name="purser-controller"} 1',
    ])
      expect(page).toContain(line)
    telemetry.leading(false)
    expect(await registry.metrics()).toContain('leader_election_master_status{name="purser-controller"} 0')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', msg: 'it is broken', why: 'so' })
  })
})
