// The numbers of the ledger's law, handed in from the page of all bounds: the core itself knows none of them.

export interface LedgerRules {
  readonly linesMax: number
  readonly alternativesMax: number
  /** Of one line's amount, inclusive. */
  readonly amountMax: bigint
  readonly limitMax: bigint
  /** The longest that a reservation may stay open, ms. */
  readonly deadlineMs: number
  readonly holderStaleMs: number
  readonly sweepBatch: number
  readonly clockSkewMs: number
  readonly tombstoneMs: number
  readonly retainProvenMs: number
  readonly retainUnprovenMs: number
  readonly collectAfterMs: number
  readonly versionForgetMs: number
  /** How often a refusal notes, at most, that a limit is still in use. */
  readonly presentEveryMs: number
  readonly resumeGapMs: number
}
