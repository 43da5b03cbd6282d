// The memory ledger against the contract.
import { ledgerContract } from '../contract/ledger.ts'
import { makeMemory } from '../contract/makers.ts'

ledgerContract('memory', makeMemory)
