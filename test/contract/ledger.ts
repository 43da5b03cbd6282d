// The contract that every store of the ledger passes: one call of `ledgerContract` is its whole test of the law.
import { describe, expect, it } from 'vitest'
import { adjustingContract } from './adjusting.ts'
import { balancesContract } from './balances.ts'
import { clocksContract } from './clocks.ts'
import { closingContract } from './closing.ts'
import { exportingContract } from './exporting.ts'
import type { MakeLedger } from './moves.ts'
import { observingContract } from './observing.ts'
import { ALL_OUTCOMES, noting } from './outcomes.ts'
import { repeatingContract } from './repeating.ts'
import { reservingContract } from './reserving.ts'
import { slidingContract } from './sliding.ts'
import { streamContract } from './stream.ts'
import { sweepingContract } from './sweeping.ts'
import { versionsContract } from './versions.ts'

/** Runs the contract against fresh ledgers of `fresh`, one a test. */
export function ledgerContract(name: string, fresh: MakeLedger): void {
  const seen = new Set<string>()
  const make: MakeLedger = async options => {
    const made = await fresh(options)
    return { ...made, ledger: noting(made.ledger, seen) }
  }
  describe(`the ledger contract: ${name}`, () => {
    describe('reserving', () => reservingContract(make))
    describe('closing', () => closingContract(make))
    describe('repeated, late and out of order', () => repeatingContract(make))
    describe('limits and their versions', () => versionsContract(make))
    describe('windows and clocks', () => balancesContract(make))
    describe('observing and expiry', () => observingContract(make))
    describe('adjusting, arrears, answers that come later', () => adjustingContract(make))
    describe('sliding windows', () => slidingContract(make))
    describe('clocks that err', () => clocksContract(make))
    describe('sweeping and retention', () => sweepingContract(make))
    describe('reading, the stream, races', () => streamContract(make))
    describe('the exporter', () => exportingContract(make))
    it('reached every outcome that has a name', () => {
      expect(ALL_OUTCOMES.filter(outcome => !seen.has(outcome))).toEqual([])
    })
  })
}
