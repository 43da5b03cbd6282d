// Closes reservations that another stream made, perhaps of another process, by what was handed over with them. The ledger says whose they are.
import type { Line } from '../core/reservation.ts'
import type { ReservationRecord } from '../ports.ts'
import { FORMATS } from '../wire/formats.ts'
import { Answering } from './answering.ts'
import { amountsFor, type ChargedPlan, chargeOf, type Ending, isExact } from './charge.ts'
import { countAnswer, fetchableAs } from './close.ts'
import type { Enforcer } from './enforcer.ts'
import type { AnswerExchange } from './exchange.ts'
import { type Handover, isSealed, readHandover } from './handover.ts'
import { openAnswerMeter } from './meter.ts'
import { pricesOf } from './plan.ts'
import { earlierAttemptMoves } from './retries.ts'
import type { Closing } from './settle.ts'

/** The answer's half of an exchange, on whichever replica sees it; null where the text is none of ours. */
export function resume(enforcer: Enforcer, text: string): AnswerExchange | null {
  const handover = readHandover(text)
  if (handover === null) return null
  const handed = new Handed(enforcer, handover, text)
  const { priced, retriesUnsent } = handover
  const format = FORMATS.find(({ name }) => name === priced?.call.format)
  return new Answering(
    {
      close: ending => handed.close(ending),
      release: how => handed.release(how),
      retried: (attempts, requests) => handed.retried(attempts, requests),
      // Progress is its holder's to tell.
      metering: () => {},
    },
    {
      openMeter: info => (priced === null || format === undefined ? null : openAnswerMeter(format, priced.call, info, false)),
      retriesUnsent,
    },
  )
}

/** One reservation that was handed over. Each of its endings is idempotent: others may bring it too. */
export class Handed {
  readonly #enforcer: Enforcer
  readonly #text: string
  readonly handover: Handover

  constructor(enforcer: Enforcer, handover: Handover, text: string) {
    this.#enforcer = enforcer
    this.handover = handover
    this.#text = text
  }

  close(ending: Ending): void {
    this.#conclude(record => [{ kind: 'settle', move: this.#settlement(record, ending) }])
    const plan = this.#plan()
    if (plan !== null && canPrice(plan, ending))
      countAnswer(this.#enforcer, plan, chargeOf(plan, ending, this.#enforcer.time.now()), ending)
  }

  /** Charges the whole estimate, unless somebody closed it until `afterMs` from now. */
  closeIfOpen(afterMs: number): void {
    this.#conclude(
      record => (record.state === 'open' ? [{ kind: 'settle', move: this.#settlement(record, { kind: 'lost' }) }] : []),
      afterMs,
    )
  }

  release(how: string): void {
    const { holder } = this.#enforcer
    this.#conclude(({ id, lines }) => [{ kind: 'release', move: { id, lines, holder, how } }])
  }

  retried(attempts: number, requests: bigint): void {
    this.#conclude(({ id, lines }) => {
      const plan = this.#plan()
      if (plan === null) return []
      return earlierAttemptMoves({ id, lines }, plan, this.#enforcer.holder, attempts, requests).map(move => ({ kind: 'settle', move }))
    })
  }

  #conclude(closings: (record: ReservationRecord) => readonly Closing[], afterMs = 0): void {
    const { settler, telemetry } = this.#enforcer
    const { id } = this.handover
    const own = (record: ReservationRecord): readonly Closing[] => {
      // A tombstone has no lines: it never was a reservation.
      if (record.lines.length === 0) return []
      if (isSealed(this.#text, record.holder)) return closings(record)
      telemetry.fault('a handover was changed on its way, or is not ours', { id })
      return []
    }
    settler.conclude(id, own, afterMs)
  }

  #settlement({ id, lines }: ReservationRecord, ending: Ending): Extract<Closing, { kind: 'settle' }>['move'] {
    const { holder, time } = this.#enforcer
    const plan = this.#plan()
    if (plan === null || !canPrice(plan, ending)) return { id, lines, holder, ...withoutPrices(lines, ending) }
    const charge = chargeOf(plan, ending, time.now())
    // Another book's price is no proof.
    const proven = charge.proven && (charge.how === 'error' || plan.book.hash === this.handover.priced?.book)
    const { how } = charge
    return { id, lines, holder, amounts: amountsFor(lines, charge), proven, how, ...(proven ? {} : fetchableAs(plan, ending)) }
  }

  /** Null where nothing is known of how the call was priced. */
  #plan(): ChargedPlan | null {
    const { priced, admittedMs } = this.handover
    if (priced === null) return null
    const { call, provider, estimate, dearestStandsIn } = priced
    const book = this.#enforcer.prices.current()
    const binding = { rules: { onUnknownModel: dearestStandsIn ? 'DearestOfProvider' : 'Deny' } } as const
    const prices = pricesOf({ call, provider, book, nowMs: admittedMs }, binding)
    return { call, provider, book, prices: prices ?? [], estimate, binding }
  }
}

/** A report names who answered; without one, only the models that were asked for have prices, and they may not be in this book. */
const canPrice = ({ prices, estimate }: ChargedPlan, ending: Ending): boolean =>
  prices.length > 0 || estimate.cost === null || ending.kind === 'error' || ending.kind === 'reported' || isExact(ending)

/** The whole estimate, as the ledger holds it; an error costs the request alone. */
function withoutPrices(
  lines: readonly Line[],
  ending: Ending,
): { readonly amounts: bigint[]; readonly proven: boolean; readonly how: string } {
  const isError = ending.kind === 'error'
  const amounts = lines.map(({ unit, amount }) => (isError && unit !== 'Requests' ? 0n : amount))
  return { amounts, proven: isError, how: isError ? 'error' : 'unread' }
}
