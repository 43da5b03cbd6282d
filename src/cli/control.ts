// The controller's life: watch, stand for leadership, stop, in this order and no other. Knows the parts by their ports; main brings the adapters.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { splitAddress } from '../config.ts'
import { assertNever } from '../core/assert.ts'
import type { LedgerReader, PolicyChange, PolicySource } from '../ports.ts'
import type { ControlConfig } from './control-config.ts'

/** The controller as its life sees it. */
export interface Controlling {
  readonly policies: PolicySource & { readonly synced: Promise<void> }
  /** Stands for leadership: while it leads, statuses are written. */
  stand(): void
  /** Writes nothing more, and leaves leadership to others. */
  stop(): Promise<void>
}

export interface ControlWiring {
  openLedger(): Promise<LedgerReader>
  openController(ledger: LedgerReader): Controlling
  openHttp(notReady: () => string | null): Promise<Server>
  say(message: string, fields: Readonly<Record<string, unknown>>): void
  fault(message: string, fields: Readonly<Record<string, unknown>>): void
}

/** Runs until `stop` resolves; answers the exit code. Throws where a part cannot be opened, with a sentence that says which and why. */
export async function control(config: ControlConfig, wiring: ControlWiring, stop: Promise<string>): Promise<number> {
  let notReady: string | null = 'policies are not read yet'
  const ledger = await wiring.openLedger()
  const controller = wiring.openController(ledger)
  controller.policies.onChange(change => tell(change, wiring))
  const http = await wiring.openHttp(() => notReady)
  const stoppedEarly = await Promise.race([controller.policies.synced.then(() => null), stop])
  if (stoppedEarly === null) {
    notReady = null
    controller.stand()
    const { port } = http.address() as AddressInfo
    wiring.say('ready', { http: `${splitAddress(config.httpListen).host}:${port}` })
  }
  const why = stoppedEarly ?? (await stop)
  notReady = 'stopping'
  wiring.say('stopping', { why })
  await controller.stop()
  http.close()
  http.closeAllConnections()
  await ledger.close()
  wiring.say('stopped', {})
  return 0
}

function tell(change: PolicyChange, { say, fault }: ControlWiring): void {
  switch (change.kind) {
    case 'accepted':
      say('objects changed', { objects: change.objects })
      break
    case 'refused':
      say('objects refused, which their status says', { problems: change.problems.length })
      break
    case 'away':
      fault('objects are not heard of', { why: change.why })
      break
    case 'back':
      say('objects are heard of again', {})
      break
    default:
      assertNever(change)
  }
}
