// The fence: a script that only the server knows that we wrote to. Where it is absent, writes may be lost, and recovery comes first.
import type { Telemetry, Timer } from '../ports.ts'
import type { Send } from './connection.ts'
import { type Unfit, wait } from './fitness.ts'
import type { Holdings, Recovery } from './holdings.ts'
import { refused } from './inspection.ts'
import { type RecoveryParts, recover, tellLate } from './recovery.ts'
import type { Channel, Runner } from './runner.ts'
import { loadScripts, type Move, readFence, type Script } from './scripts.ts'

/** Of a ledger, as its meta hash has it. */
export interface LedgerState {
  readonly recovery: Recovery
  readonly isRecovering: boolean
  /** The server's, new with each of its lives. */
  readonly runId: string
}

/** Brings the scripts to a server, after whatever has to come before; null where it may be used. `name` says which it is, without a password. */
export type PassFence = (name: string, state: LedgerState, send: Send) => Promise<Unfit | null>

export interface FenceParts {
  readonly scripts: Readonly<Record<Move, Script>>
  readonly holdings: Holdings
  /** Moves over a server that is not in use yet. */
  readonly over: (channel: Channel) => Runner
  readonly timer: Timer
  readonly telemetry: Pick<Telemetry, 'fault'>
}

export function fence(parts: FenceParts): PassFence {
  const { scripts, holdings } = parts
  return async (name, { recovery: latest, isRecovering, runId }, send) => {
    const { epoch } = latest
    const present = await send('SCRIPT', ['EXISTS', readFence(epoch).sha])
    if (present.kind !== 'reply') return refused(name, present)
    const isKnown = String((present.value as readonly unknown[])[0]) === '1'
    const load = async (some: readonly Script[]): Promise<Unfit | null> => {
      const failed = await loadScripts(send, some)
      return failed === null ? null : refused(name, failed)
    }
    const recovery: RecoveryParts = {
      ...parts,
      runner: parts.over(channel(send)),
      bring: async newEpoch => (await load([readFence(newEpoch), ...Object.values(scripts)]))?.why ?? null,
    }
    if (isKnown && !isRecovering) {
      const failed = await load(Object.values(scripts))
      if (failed !== null) return failed
      const isOurs = holdings.epoch === null || holdings.epoch === epoch
      return isOurs || (await tellLate(latest, recovery)) ? null : wait(`${name} does not take what is held`)
    }
    const failed = await load([scripts.recover, scripts.report])
    if (failed !== null) return failed
    const recovered = await recover({ epoch, isOn: isRecovering, runId }, recovery)
    return recovered.kind === 'recovered' ? null : wait(`${name} is not recovered: ${recovered.why}`)
  }
}

/** What inspections are answered, as a runner wants it: it gives up at the first silence. */
function channel(send: Send): Channel {
  return {
    send,
    sendOnce: send,
    stalled: () => ({ kind: 'unavailable', why: 'the server does not answer' }),
    reinspect: async () => {},
  }
}
