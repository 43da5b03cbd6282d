// Verifications as tests ask for them: undisturbed, and said in one line.
import { type Verification, verifyLedger } from '../../src/cli/verification.ts'
import type { LedgerReader } from '../../src/ports.ts'

export const verify = (ledger: LedgerReader): Promise<Verification> =>
  verifyLedger(ledger, { signal: new AbortController().signal, progress: () => {} })

/** `proven`, or what came instead in words. */
export async function told(ledger: LedgerReader): Promise<string> {
  const verified = await verify(ledger)
  switch (verified.kind) {
    case 'different':
      return verified.difference.words
    case 'unreadable':
      return `unreadable: ${verified.why}`
    default:
      return verified.kind
  }
}

/** The same ledger, its stream cut so that it begins after `seq`. */
export const cutAfter = (ledger: LedgerReader, seq: number): LedgerReader => ({
  ...ledger,
  entries: query => ledger.entries({ ...query, afterSeq: Math.max(seq, query.afterSeq) }),
})
