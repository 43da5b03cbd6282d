// The store's time as last seen, carried forward by our own monotonic clock: what windows and ids are computed from. Never the wall clock.
import type { Holder, ReservationId } from '../core/reservation.ts'
import { ANSWER_LATE_MS } from '../limits.ts'
import type { Clock, Random } from '../ports.ts'

export interface StoreTime {
  /** Called with every answer of the ledger. */
  saw(answer: Answer): void
  /** Whole ms since the epoch. */
  now(): number
}

interface Answer {
  readonly kind: string
  readonly storeMs?: number
}

/**
 * Until the ledger has answered once, the wall clock stands in for it. The answer that was shortest under way is carried on; one that is
 * behind by more than any is late says that we are ahead, as does a stale window: then time goes back to the store's, or calls would
 * be planned for a window that the store refuses. A refusal for its clock teaches nothing: nobody knows which of the two clocks errs.
 */
export function createStoreTime(clock: Clock): StoreTime {
  let seenMs = clock.wallMs()
  let seenAt = clock.monotonicMs()
  const now = (): number => Math.floor(seenMs + clock.monotonicMs() - seenAt)
  return {
    saw: ({ kind, storeMs }) => {
      if (storeMs === undefined || kind === 'clock-skew') return
      const behindMs = now() - storeMs
      if (behindMs > 0 && behindMs <= ANSWER_LATE_MS && kind !== 'window-stale') return
      seenMs = storeMs
      seenAt = clock.monotonicMs()
    },
    now,
  }
}

/** Random bytes are drawn for many ids at once: each draw costs more than an id. */
const ID_RANDOM_BYTES = 10
const POOL_IDS = 512

/** Answers how to mint ids: 48 bits of store milliseconds and 80 random bits, as 32 hex digits. */
export function reservationIds(random: Random): (storeMs: number) => ReservationId {
  let pool = ''
  return storeMs => {
    if (pool === '') pool = random.hex(POOL_IDS * ID_RANDOM_BYTES)
    const own = pool.slice(0, ID_RANDOM_BYTES * 2)
    pool = pool.slice(ID_RANDOM_BYTES * 2)
    return `${storeMs.toString(16).padStart(12, '0')}${own}` as ReservationId
  }
}

export const mintHolder = (random: Random): Holder => random.hex(16) as Holder
