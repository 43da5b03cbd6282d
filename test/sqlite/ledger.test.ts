// The SQLite ledger against the contract.
import { ledgerContract } from '../contract/ledger.ts'
import { makeSqlite } from '../contract/makers.ts'

ledgerContract('sqlite', makeSqlite)
