// All drills, in the order of the page.
import { LEAVERS, WAYS } from './clients.ts'
import type { Chapter } from './drill.ts'
import { LEDGER_AWAY } from './ledger-away.ts'
import { BODIES, PROVIDER_FAILS } from './providers.ts'
import { PURSER_DIES, PURSER_SILENT } from './purser-dies.ts'
import { REPLICAS } from './replicas.ts'

export const CHAPTERS: readonly Chapter[] = [PURSER_DIES, PURSER_SILENT, REPLICAS, LEDGER_AWAY, LEAVERS, PROVIDER_FAILS, BODIES, WAYS]
