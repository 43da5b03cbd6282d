// The progress of open answers, for reservations whose expiry charges what was observed. Told to the ledger every few seconds, all at once.
import type { ReservationId } from '../core/reservation.ts'

/** What an open answer would be charged by now, one amount a line. */
export type Progress = () => readonly bigint[]

export interface Watch {
  add(id: ReservationId, progress: Progress): void
  /** It ended; one that was not added is no matter. */
  remove(id: ReservationId): void
  /** The progress of every answer that moved on since it was last asked for. */
  take(): { readonly id: ReservationId; readonly amounts: readonly bigint[] }[]
  /** What was taken last did not arrive: all of it is told again. */
  lost(): void
}

export function createWatch(): Watch {
  const watched = new Map<ReservationId, { readonly progress: Progress; told: string }>()
  return {
    add: (id, progress) => void watched.set(id, { progress, told: '' }),
    remove: id => void watched.delete(id),
    take: () =>
      [...watched].flatMap(([id, one]) => {
        const amounts = one.progress()
        const text = amounts.join(' ')
        if (text === one.told) return []
        one.told = text
        return [{ id, amounts }]
      }),
    lost: () => {
      for (const one of watched.values()) one.told = ''
    },
  }
}
