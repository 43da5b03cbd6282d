// The contract that every store of the ledger passes: one call of `ledgerContract` is its whole test of the law.
import { describe } from 'vitest'
import { balancesContract } from './balances.ts'
import { closingContract } from './closing.ts'
import type { MakeLedger } from './moves.ts'
import { reservingContract } from './reserving.ts'
import { streamContract } from './stream.ts'
import { sweepingContract } from './sweeping.ts'

/** Runs the contract against fresh ledgers of `make`, one a test. */
export function ledgerContract(name: string, make: MakeLedger): void {
  describe(`the ledger contract: ${name}`, () => {
    describe('reserving', () => reservingContract(make))
    describe('closing', () => closingContract(make))
    describe('limits, windows and clocks', () => balancesContract(make))
    describe('sweeping and retention', () => sweepingContract(make))
    describe('reading, the stream, races', () => streamContract(make))
  })
}
