// Bugs to plant: one change of one place in the program each, of the kinds that ledgers are known to die of. The simulation has to find
// every one of them. A bug whose place is gone says so: then it wants a new place, or to go.

export interface Bug {
  readonly name: string
  /** Under `src/`. */
  readonly file: string
  /** Found exactly once in it. */
  readonly from: string
  readonly to: string
}

const bug = (name: string, file: string, from: string, to: string): Bug => ({ name, file, from, to })

export const BUGS: readonly Bug[] = [
  bug(
    'what expires is given back',
    'core/closing.ts',
    'lines.map((line, index) => max(line.floor, charged[index] ?? 0n)),',
    'lines.map(() => 0n),',
  ),
  bug(
    'a repeated settlement is charged again',
    'core/closing.ts',
    'return !proven || sameAmounts(amounts, record.charged) ? already :',
    'return !proven ? already : proven ? { ...late, charged: amounts.map((amount, index) => amount + (record.charged[index] ?? 0n)) } :',
  ),
  bug('a repeated reserve reserves again', 'core/moves.ts', 'if (known !== null) return repeated(known, move, storeMs)', ''),
  bug(
    'a tombstone keeps nothing out',
    'core/moves.ts',
    'if (known !== null) return repeated(known, move, storeMs)',
    "if (known !== null && known.state !== 'tombstone') return repeated(known, move, storeMs)",
  ),
  bug('a reserve is never too late', 'core/moves.ts', "if (storeMs > move.notAfterMs) return { kind: 'too-late', storeMs }", ''),
  bug(
    'a window that is over admits',
    'core/moves.ts',
    "window.kind === 'calendar' && (nowMs < window.startMs || nowMs >= window.endMs)",
    "window.kind === 'calendar' && nowMs < window.startMs",
  ),
  bug(
    'an absence of the store expires everybody',
    'core/step.ts',
    'nowMs - meta.markMs > rules.resumeGapMs ? nowMs : meta.resumedMs',
    'meta.resumedMs',
  ),
  bug(
    'the sweep is too hasty',
    'core/sweep.ts',
    'const silentSince = nowMs - rules.holderStaleMs',
    'const silentSince = nowMs - rules.holderStaleMs / 3',
  ),
  bug(
    'an older limit is believed',
    'core/balance.ts',
    'if (order < 0 && nowMs - stored.presentedMs < rules.versionForgetMs)',
    'if (order === null)',
  ),
  bug(
    'of one version in two amounts the later counts',
    'core/balance.ts',
    'line.limit < stored.limit ? { ...stored, limit: line.limit } : stored',
    '{ ...stored, limit: line.limit }',
  ),
  bug(
    'what is in flight is not counted',
    'core/balance.ts',
    'stored.limit - stored.spent - stored.reserved >= line.amount',
    'stored.limit - stored.spent >= line.amount',
  ),
  bug(
    'what does not fit on one line is reserved on the others',
    'core/moves.ts',
    'if (misfits.length === 0) return',
    'if (misfits.length === 0 || misfits.length < lines.length) return',
  ),
  bug(
    'a settlement counts at its own time in a sliding window',
    'core/balance.ts',
    'const index = bucketIndex(window.lengthMs, admittedMs)',
    'const index = bucketIndex(window.lengthMs, change.reserved > 0n ? admittedMs : nowMs)',
  ),
  bug(
    'a charge without a reserve is dropped',
    'core/moves.ts',
    'chargeUnseen(step, move, kind)\n    return { kind, storeMs }',
    'return { kind, storeMs }',
  ),
  bug('the outbox gives up at once', 'enforcer/settle.ts', 'if (waiting.length >= OUTBOX_MAX ||', 'if (waiting.length >= 0 ||'),
  bug(
    'a settlement is on its neighbour’s line',
    'enforcer/charge.ts',
    'lines.map(line => (line.window.kind',
    '[...lines.slice(1), ...lines.slice(0, 1)].map(line => (line.window.kind',
  ),
  bug(
    'what was admitted while the ledger was away is never posted',
    'enforcer/close.ts',
    '  settler.settle(\n',
    '  if (allowed === null) settler.settle(\n',
  ),
  bug(
    'a reserve that is not known is not given back',
    'enforcer/take.ts',
    "releaseReservation(enforcer, { reservation, plan, allowed: null }, 'unknown')",
    '',
  ),
  bug('a client that left before its verdict keeps its reservation', 'enforcer/lifecycle.ts', "this.#release(held, 'gone')", ''),
  bug(
    'a call that is cut off is forgiven',
    'enforcer/answering.ts',
    "else if (this.#state.kind === 'waiting') this.#done({ kind: 'lost' })",
    '',
  ),
  bug(
    'a drained stream is charged what it had brought',
    'enforcer/answering.ts',
    "if (this.#state.kind !== 'left') this.#done({ kind: 'lost' })",
    "if (this.#state.kind === 'metering') this.#finish(false)",
  ),
  bug(
    'answers that were lost unread are taken for read',
    'enforcer/answering.ts',
    'unread && !isExact(ending)',
    'unread && isExact(ending)',
  ),
  bug(
    'more is admitted than is allowed while the ledger is away',
    'enforcer/allowance.ts',
    'if (line.hard && sum > (limits[index]?.limit.allowUpTo ?? 0n)) return null',
    '',
  ),
  bug(
    'the input is not charged when an observed call expires',
    'enforcer/plan.ts',
    'floor: amountOf(bound.limit.unit, plan.floor),',
    'floor: 0n,',
  ),
  bug(
    'nobody beats',
    'enforcer/sweep.ts',
    'const outcome = await ledger.beat(holder)',
    "const outcome = await ledger.beat('0'.repeat(32) as typeof holder)",
  ),
  bug(
    'nobody sweeps',
    'enforcer/sweep.ts',
    'const outcome = await ledger.sweep()',
    "const outcome = { kind: 'unavailable' } as Awaited<ReturnType<typeof ledger.sweep>>",
  ),
  bug(
    'time that ran ahead of the store stays ahead',
    'enforcer/store-time.ts',
    "if (behindMs > 0 && behindMs <= ANSWER_LATE_MS && kind !== 'window-stale') return",
    'if (behindMs > 0) return',
  ),
  bug(
    'a leap of the store’s clock refuses calls',
    'enforcer/admit.ts',
    "outcome.kind === 'window-stale' || outcome.kind === 'too-late'",
    "outcome.kind === 'window-stale'",
  ),
  bug(
    'the answers of a batch are one off',
    'redis/group-commit.ts',
    'const outcome = outcomes[index]',
    'const outcome = outcomes.at(index - 1)',
  ),
  bug('amounts are sent in another order', 'redis/encode.ts', "amounts.join(' '), hard", "[...amounts].reverse().join(' '), hard"),
  bug(
    'the fence is not asked',
    'redis/fence.ts',
    "const isKnown = String((present.value as readonly unknown[])[0]) === '1'",
    'const isKnown = true',
  ),
  bug(
    'what is open is not asserted again',
    'redis/recovery.ts',
    'await reassert(runner, open)',
    'await reassert(runner, open.slice(0, 0))',
  ),
  bug('what was settled is not told again', 'redis/recovery.ts', "each.kind === 'settle' ? [each.move] : []", '[]'),
  bug('a recovery is not waited for', 'redis/recovery.ts', "if (reported[0] === 'over') {", "if (reported[0] !== 'clock-skew') {"),
  bug(
    'a short count of replicas is enough',
    'redis/guard.ts',
    'if (Number(count) >= this.#replicas) return null',
    'if (Number(count) >= 0) return null',
  ),
]
