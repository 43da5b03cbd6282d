// What holders tell of what they hold: that they live, how far it has come, and, to a store that lost it, that they hold it. Decides nothing.
import { assert } from '../core/assert.ts'
import { checkObserve, checkReassert, isHexId } from '../core/move-bounds.ts'
import type { BeatOutcome, Holder, ObserveMove, ObserveOutcome, ReassertMove, ReassertOutcome } from '../core/reservation.ts'
import { BATCH_REQUESTS_MAX, LEDGER_RULES } from '../limits.ts'
import { asRow, decodeBeat, decodeObserve, decodeReassert } from './decode.ts'
import { encodeObserve, encodeReasserts } from './encode.ts'
import { batchSize } from './group-commit.ts'
import type { Ran, Runner } from './runner.ts'

export async function beat(runner: Runner, holder: Holder): Promise<BeatOutcome> {
  assert(isHexId(holder), 'a holder is 32 hex digits')
  runner.holdings.beats(holder)
  const reply = await runner.run('beat', { keys: [], args: [holder] })
  if (reply.kind !== 'reply') return reply
  const [kind, , seq, epoch] = asRow(reply.value)
  if (kind === 'beating' && seq !== undefined && epoch !== undefined) runner.stands(Number(seq), epoch)
  return decodeBeat(asRow(reply.value))
}

/** Where it has to be cut into several steps and one fails, those before it are noted: the whole may be repeated. */
export async function observe(runner: Runner, move: ObserveMove): Promise<ObserveOutcome> {
  const fault = checkObserve(move, LEDGER_RULES)
  if (fault !== null) return fault
  let observed = 0
  for (let progress = move.progress; ; ) {
    const size = batchSize(progress, each => each.amounts.length, BATCH_REQUESTS_MAX)
    const reply = await runner.run('observe', encodeObserve(runner.keys, { ...move, progress: progress.slice(0, size) }))
    if (reply.kind !== 'reply') return reply
    const outcome = decodeObserve(asRow(reply.value))
    if (outcome.kind !== 'observed') return outcome
    observed += outcome.observed
    progress = progress.slice(size)
    if (progress.length === 0) return { ...outcome, observed }
  }
}

/** Opens again what a store has lost of reservations, in as few steps as scripts allow; an outcome each, in their order. */
export async function reassert(runner: Runner, moves: readonly ReassertMove[]): Promise<readonly ReassertOutcome[]> {
  const faults = moves.map(move => checkReassert(move, LEDGER_RULES))
  const outcomes: ReassertOutcome[] = []
  for (let left = moves.filter((_, index) => faults[index] === null); left.length > 0; ) {
    const size = batchSize(left, move => move.lines.length, BATCH_REQUESTS_MAX)
    const ran = await runner.runBatch('reassert', left.slice(0, size), batch => encodeReasserts(runner.keys, batch))
    outcomes.push(...ran.map(reasserted))
    left = left.slice(size)
  }
  return faults.map(fault => fault ?? next(outcomes))
}

const reasserted = (ran: Ran): ReassertOutcome => (ran.kind === 'reply' ? decodeReassert(asRow(ran.value)) : ran)

function next(outcomes: ReassertOutcome[]): ReassertOutcome {
  const outcome = outcomes.shift()
  assert(outcome !== undefined, 'every move has an outcome')
  return outcome
}
