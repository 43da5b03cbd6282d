// Settlements and releases on their way to the ledger. The client never waits for one; a fault is tried again until it is answered.
import type { Line, ReleaseMove, ReleaseOutcome, SettleMove, SettleOutcome } from '../core/reservation.ts'
import { ARREARS_KEEP_MS, OUTBOX_KEEP_MS, OUTBOX_MAX, OUTBOX_RETRY_MAX_MS, OUTBOX_RETRY_MS } from '../limits.ts'
import type { Telemetry } from '../ports.ts'
import type { Enforcer } from './enforcer.ts'

type Move = { readonly sinceMs: number; readonly answered: () => void } & (
  | { readonly kind: 'settle'; readonly move: SettleMove }
  | { readonly kind: 'release'; readonly move: ReleaseMove }
)
type Outcome = SettleOutcome | ReleaseOutcome

export interface Settler {
  /** `answered` is called when the ledger has it, and not if it was given up. */
  settle(move: SettleMove, answered?: () => void): void
  release(move: ReleaseMove, answered?: () => void): void
  /** Moves that the ledger has not answered yet. */
  pending(): number
  /** Waits until every move is answered, at most `ms`; answers how many were not. */
  drain(ms: number): Promise<number>
}

interface SettlerParts extends Pick<Enforcer, 'ledger' | 'time' | 'telemetry' | 'timer'> {
  /** Told of each answered move: its budgets may have room again. */
  readonly freed?: (lines: readonly Line[]) => void
}

/** The outbox is bounded in number and in time: what goes beyond is dropped and said, and the sweep charges its reservation. */
export function createSettler({ ledger, time, telemetry, timer, freed = () => {} }: SettlerParts): Settler {
  let pending = 0
  let faults = 0
  let waiting: Move[] = []
  let cancel: (() => void) | null = null
  let drained: (() => void) | null = null

  const send = async (move: Move): Promise<void> => {
    const outcome = move.kind === 'settle' ? await ledger.settle(move.move) : await ledger.release(move.move)
    time.saw(outcome)
    if (outcome.kind === 'unavailable' || outcome.kind === 'clock-skew') {
      retry(move, outcome.kind)
      return
    }
    faults = 0
    answered()
    move.answered()
    freed(move.move.lines)
    note(telemetry, move, outcome)
  }

  const retry = (move: Move, fault: string): void => {
    telemetry.ledgerError(fault)
    if (waiting.length >= OUTBOX_MAX || time.now() - move.sinceMs > keptMs(move)) {
      telemetry.fault('a settlement is left to the sweep', { id: move.move.id, waiting: waiting.length })
      answered()
      return
    }
    waiting.push(move)
    cancel ??= timer.after(Math.min(OUTBOX_RETRY_MAX_MS, OUTBOX_RETRY_MS * 2 ** faults++), resend)
  }

  const resend = (): void => {
    cancel = null
    const moves = waiting
    waiting = []
    for (const move of moves) void send(move)
  }

  const answered = (): void => {
    pending--
    if (pending === 0) drained?.()
  }

  const start = (move: Move): void => {
    pending++
    // After what is being answered now: the client waits for no part of it.
    timer.after(0, () => void send(move))
  }

  return {
    settle: (move, done = () => {}) => start({ kind: 'settle', move, answered: done, sinceMs: time.now() }),
    release: (move, done = () => {}) => start({ kind: 'release', move, answered: done, sinceMs: time.now() }),
    pending: () => pending,
    drain: async ms => {
      if (pending === 0) return 0
      const { promise, resolve } = Promise.withResolvers<void>()
      drained = resolve
      const callOff = timer.after(ms, resolve)
      await promise
      callOff()
      cancel?.()
      return pending
    },
  }
}

/** Charges that were admitted while the ledger was away wait for it as long as it would remember them. */
const keptMs = (move: Move): number => (move.kind === 'settle' && move.move.arrears === true ? ARREARS_KEEP_MS : OUTBOX_KEEP_MS)

function note(telemetry: Telemetry, move: Move, outcome: Outcome): void {
  if (outcome.kind === 'settled-over') {
    // Every USD line of a reservation brings the same amount, so one of them tells the overrun.
    telemetry.overrun(outcome.overrun.find((_, index) => move.move.lines[index]?.unit === 'USD') ?? 0n)
  }
  if (outcome.kind === 'conflict' || outcome.kind === 'out-of-bounds') telemetry.fault(`settlement ${outcome.kind}`, { id: move.move.id })
  telemetry.trace(move.kind, { id: move.move.id, outcome: outcome.kind, how: move.move.how })
}
