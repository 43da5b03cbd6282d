// The store's time as last seen, carried forward by our own monotonic clock: what windows and ids are computed from. Never the wall clock.
import { randomBytes } from 'node:crypto'
import type { Holder, ReservationId } from '../core/reservation.ts'
import type { Clock } from '../ports.ts'

export interface StoreTime {
  /** Called with the time that came with any answer of the ledger. */
  saw(storeMs: number): void
  /** Whole ms since the epoch; never runs backwards. */
  now(): number
}

/** Until the ledger has answered once, the wall clock stands in for it. */
export function createStoreTime(clock: Clock): StoreTime {
  let seenMs = clock.wallMs()
  let seenAt = clock.monotonicMs()
  const now = (): number => Math.floor(seenMs + clock.monotonicMs() - seenAt)
  return {
    saw: storeMs => {
      if (storeMs < now()) return
      seenMs = storeMs
      seenAt = clock.monotonicMs()
    },
    now,
  }
}

/** Random bytes are drawn for many ids at once: each draw costs more than an id. */
const ID_RANDOM_BYTES = 10
const POOL_IDS = 512
let pool = ''

/** 48 bits of store milliseconds and 80 random bits, as 32 hex digits. */
export function mintReservationId(storeMs: number): ReservationId {
  if (pool === '') pool = randomBytes(POOL_IDS * ID_RANDOM_BYTES).toString('hex')
  const random = pool.slice(0, ID_RANDOM_BYTES * 2)
  pool = pool.slice(ID_RANDOM_BYTES * 2)
  return `${storeMs.toString(16).padStart(12, '0')}${random}` as ReservationId
}

export const mintHolder = (): Holder => randomBytes(16).toString('hex') as Holder
