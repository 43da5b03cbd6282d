// Moves on a record whose lines the caller may not know: the script says which balances it needs, and is called again with their keys.
import { assert } from '../core/assert.ts'
import { checkAdjust, isHexId } from '../core/move-bounds.ts'
import type { AdjustMove, AdjustOutcome, LedgerFault, ReleaseMove, ReleaseOutcome } from '../core/reservation.ts'
import { LEDGER_RULES } from '../limits.ts'
import { asRow, type Changed, decodeAdjust, decodeRelease, type Row } from './decode.ts'
import { encodeAdjust, encodeRelease, type ScriptCall } from './encode.ts'
import { type BalanceName, balanceName, parseLinesText } from './keys.ts'
import type { Runner } from './runner.ts'

const TRIES = 3 // a record's lines change only where it was forgotten and charged anew meanwhile

export async function release(runner: Runner, move: ReleaseMove): Promise<ReleaseOutcome> {
  assert(isHexId(move.id) && isHexId(move.holder), 'ids and holders are 32 hex digits')
  const names = move.lines.map(line => balanceName(line.key, line.window))
  return knowingLines(runner, 'release', names, known => encodeRelease(runner.keys, move, known), decodeRelease)
}

export async function adjust(runner: Runner, move: AdjustMove): Promise<AdjustOutcome> {
  const fault = checkAdjust(move, LEDGER_RULES)
  return fault ?? knowingLines(runner, 'adjust', [], known => encodeAdjust(runner.keys, move, known), decodeAdjust)
}

async function knowingLines<T extends { readonly kind: string }>(
  runner: Runner,
  move: 'release' | 'adjust',
  names: readonly BalanceName[],
  encode: (names: readonly BalanceName[]) => ScriptCall,
  decode: (row: Row) => T | Changed,
): Promise<Exclude<T, Changed> | LedgerFault> {
  let known = names
  for (let tries = 1; tries <= TRIES; tries++) {
    const reply = await runner.run(move, encode(known))
    if (reply.kind !== 'reply') return reply
    const row = asRow(reply.value)
    const [, , seq, epoch] = row
    if (seq !== undefined && epoch !== undefined) runner.stands(Number(seq), epoch)
    const outcome = decode(row)
    if (!isChanged(outcome)) return outcome as Exclude<T, Changed>
    known = parseLinesText(outcome.lines).map(line => balanceName(line.key, line.window))
  }
  return { kind: 'unavailable', why: `the reservation changed under its ${move}, ${TRIES} times over` }
}

const isChanged = (outcome: { readonly kind: string }): outcome is Changed => outcome.kind === 'changed'
