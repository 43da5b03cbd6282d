// Whether balances may be collected: their window is over, or they hold nothing. Knows no entries before.
import { isPast } from './balance.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { EntryLine } from './shelf.ts'
import { isStill } from './verify-balance.ts'
import { amountWords, budgetWords } from './verify-words.ts'

/** What is wrong with an entry that collects; null where nothing is. */
export function finalWrong({ lines, storeMs }: { lines: readonly EntryLine[]; storeMs: number }, rules: LedgerRules): string | null {
  for (const line of lines) {
    const why = isStill(line) ? notFinal(line, storeMs, rules) : 'to collect a balance should move nothing'
    if (why !== null) return `${budgetWords(line.key, line.window)}: ${why}`
  }
  return null
}

function notFinal({ key, window, balance }: EntryLine, storeMs: number, rules: LedgerRules): string | null {
  if (balance.reserved !== 0n) return `it is collected with ${amountWords(balance.reserved, key)} reserved`
  switch (window.kind) {
    case 'calendar':
      return isPast(window, storeMs, rules) ? null : 'it is collected before its window is over for good'
    case 'sliding':
    case 'inFlight':
      return balance.spent === 0n ? null : `it is collected with ${amountWords(balance.spent, key)} spent`
    case 'lifetime':
      return 'it is collected, and counts for ever'
  }
}
