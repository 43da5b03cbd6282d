// Whatever can be asked of a ledger, as one value: it travels, is kept in a history, and is performed on any model.
import type { BudgetKey } from '../../src/core/budget.ts'
import type { ModelLedger } from '../../src/core/ledger.ts'
import type {
  AdjustMove,
  Holder,
  ObserveMove,
  ReassertMove,
  ReleaseMove,
  ReservationId,
  ReserveMove,
  SettleMove,
} from '../../src/core/reservation.ts'
import type { MoveTime } from '../../src/core/step.ts'
import type { Window } from '../../src/core/window.ts'

export type Move =
  | { readonly kind: 'reserve'; readonly move: ReserveMove }
  | { readonly kind: 'settle'; readonly move: SettleMove }
  | { readonly kind: 'release'; readonly move: ReleaseMove }
  | { readonly kind: 'observe'; readonly move: ObserveMove }
  | { readonly kind: 'adjust'; readonly move: AdjustMove }
  | { readonly kind: 'reassert'; readonly move: ReassertMove }
  | { readonly kind: 'beat'; readonly move: Holder }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'acknowledge'; readonly seq: number }
  | { readonly kind: 'read'; readonly lines: readonly { readonly key: BudgetKey; readonly window: Window }[] }
  | { readonly kind: 'list'; readonly query: { readonly prefix: string; readonly cursor: string; readonly count: number } }
  | { readonly kind: 'reservations'; readonly query: { readonly open: boolean; readonly cursor: string; readonly count: number } }
  | { readonly kind: 'entries'; readonly query: { readonly afterSeq: number; readonly count: number } }
  | { readonly kind: 'find'; readonly id: ReservationId }
  | { readonly kind: 'findByResponse'; readonly response: string }

export type MoveKind = Move['kind']
/** What the model answers to a kind of move. */
export type OutcomeOf<Kind extends MoveKind> = ReturnType<ModelLedger[Kind]>
export type Outcome = OutcomeOf<MoveKind>

export function perform(ledger: ModelLedger, asked: Move, time: MoveTime): Outcome {
  switch (asked.kind) {
    case 'reserve':
      return ledger.reserve(asked.move, time)
    case 'settle':
      return ledger.settle(asked.move, time)
    case 'release':
      return ledger.release(asked.move, time)
    case 'observe':
      return ledger.observe(asked.move, time)
    case 'adjust':
      return ledger.adjust(asked.move, time)
    case 'reassert':
      return ledger.reassert(asked.move, time)
    case 'beat':
      return ledger.beat(asked.move, time)
    case 'sweep':
      return ledger.sweep(time)
    case 'acknowledge':
      return ledger.acknowledge(asked.seq, time)
    case 'read':
      return ledger.read(asked.lines, time.storeClockMs)
    case 'list':
      return ledger.list(asked.query, time.storeClockMs)
    case 'reservations':
      return ledger.reservations(asked.query, time.storeClockMs)
    case 'entries':
      return ledger.entries(asked.query, time.storeClockMs)
    case 'find':
      return ledger.find(asked.id, time.storeClockMs)
    case 'findByResponse':
      return ledger.findByResponse(asked.response, time.storeClockMs)
  }
}

const READS: readonly MoveKind[] = ['read', 'list', 'reservations', 'entries', 'find', 'findByResponse']
export const onlyReads = ({ kind }: Move): boolean => READS.includes(kind)

/** What a trace says of a move. */
export function moveText(asked: Move): string {
  switch (asked.kind) {
    case 'reserve':
      return `reserve ${asked.move.id.slice(-6)}`
    case 'settle':
      return `settle ${asked.move.id.slice(-6)} ${asked.move.how} ${asked.move.amounts.join(' ')}`
    case 'release':
      return `release ${asked.move.id.slice(-6)} ${asked.move.how}`
    case 'reassert':
      return `reassert ${asked.move.id.slice(-6)}`
    case 'beat':
      return `beat ${asked.move.slice(-6)}`
    default:
      return asked.kind
  }
}
