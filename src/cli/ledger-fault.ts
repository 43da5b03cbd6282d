// Why a ledger did not answer, for an operator. Says nothing of what to do.
import type { LedgerFault } from '../core/reservation.ts'

/** Part of a sentence. */
export const faultWords = (fault: LedgerFault): string =>
  fault.kind === 'unavailable' ? fault.why : 'the clocks of this machine and of the ledger are more than a minute apart'
