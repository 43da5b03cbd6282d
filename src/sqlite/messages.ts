// What the ledger's thread is told and answers. Values only; both sides run the same build.
import type { AdjustMove, Holder, ObserveMove, ReleaseMove, ReservationId, ReserveMove, SettleMove } from '../core/reservation.ts'
import type { MoveTime } from '../core/step.ts'
import type { Ledger } from '../ports.ts'

type Argument<Method extends keyof Ledger> = Parameters<Ledger[Method]>[0]

export type Request =
  | { readonly kind: 'reserve'; readonly move: ReserveMove }
  | { readonly kind: 'settle'; readonly move: SettleMove }
  | { readonly kind: 'release'; readonly move: ReleaseMove }
  | { readonly kind: 'beat'; readonly holder: Holder }
  | { readonly kind: 'observe'; readonly move: ObserveMove }
  | { readonly kind: 'adjust'; readonly move: AdjustMove }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'read'; readonly lines: Argument<'read'> }
  | { readonly kind: 'list'; readonly query: Argument<'list'> }
  | { readonly kind: 'reservations'; readonly query: Argument<'reservations'> }
  | { readonly kind: 'entries'; readonly query: Argument<'entries'> }
  | { readonly kind: 'find'; readonly id: ReservationId }
  | { readonly kind: 'find-by-response'; readonly response: string }
  | { readonly kind: 'acknowledge'; readonly seq: number }

/** Each request with the time at which it was asked. */
export type Told = { readonly kind: 'batch'; readonly requests: readonly (readonly [Request, MoveTime])[] } | { readonly kind: 'close' }

/** A bug in the ledger itself is carried as `threw`; everything else is an outcome. */
export type Answer = { readonly kind: 'outcome'; readonly outcome: unknown } | { readonly kind: 'threw'; readonly why: string }

export type Said =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }
  | { readonly kind: 'closed' }

export interface Start {
  readonly file: string
  readonly wallMs: number
  readonly streamMax: number | null
  readonly lockWaitMs: number
  readonly pagesMax: number | null
}
