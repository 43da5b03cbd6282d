// `ledger adjust`: an operator's word on what a reservation did cost, and what it changed. One move; it explains every outcome.
import { createHash } from 'node:crypto'
import { ConfigError } from '../config/values.ts'
import { type Flag, flagLines, LEDGER_FLAGS, type LedgerPlace, parseLedgerCommand } from '../config.ts'
import { formatUsd, parseDecimalUp } from '../core/money.ts'
import { checkAdjust, isHexId } from '../core/move-bounds.ts'
import type { AdjustMove, AdjustOutcome, ReservationId } from '../core/reservation.ts'
import { adjustIdOf } from '../core/verify-reservation.ts'
import { amountWords, budgetWords } from '../core/verify-words.ts'
import { LEDGER_RULES } from '../limits.ts'
import type { EntryLine, Ledger, LedgerEntry } from '../ports.ts'
import { faultWords } from './ledger-fault.ts'
import { isFile, type LedgerTools } from './ledger-tools.ts'

const FLAGS: Readonly<Record<string, Flag>> = {
  actual: { type: 'string', value: '', help: 'what the call did cost, in USD: a decimal with up to 9 places' },
  reason: { type: 'string', value: '', help: 'why, for the ledger: one line of up to 200 characters' },
}

export const ADJUST_HELP: string = `purser ledger adjust ID --actual USD --reason TEXT [--ledger ADDRESS] [--ledger-name NAME]

Charges a closed reservation what it did cost: for one that was charged without proof, when the provider's bill is there. It gives back
what is in suspense, or adds to what was spent; a proven charge is never lowered. The stream keeps the reason. The same command again
moves nothing. A ledger in SQLite is adjusted while no serve runs on it.

${flagLines({ ...FLAGS, ...LEDGER_FLAGS })}
Each flag has a twin in the environment: --ledger is PURSER_LEDGER.

Exit code 0 where it is adjusted, now or before; 1 where it is not, with what to do; 2 for a wrong flag.
`

/** Answers the exit code. */
export async function adjustLedger(args: readonly string[], tools: LedgerTools): Promise<number> {
  const { place, flag, positionals } = parseLedgerCommand('ledger adjust', FLAGS, args, tools.env)
  const move = moveOf(positionals, flag('actual'), flag('reason'))
  const ledger = await open(place, tools)
  try {
    const before = await ledger.read([])
    if (before.kind !== 'read') {
      tools.err.write(`Nothing was adjusted: ${faultWords(before)}.\n`)
      return 1
    }
    const outcome = await ledger.adjust(move)
    if (outcome.kind === 'adjusted') {
      await tools.write(adjustedText(move, await entryOf(ledger, move, before.seq)))
      return 0
    }
    if (outcome.kind !== 'already-adjusted') {
      tools.err.write(`${sentence(outcome, move)}\n`)
      return 1
    }
    await tools.write(`Reservation ${move.id} was adjusted so before: nothing moved.\n`)
    return 0
  } finally {
    await ledger.close()
  }
}

async function open(place: LedgerPlace, { openReader, openLedger }: LedgerTools): Promise<Ledger> {
  if (!isFile(place)) return openLedger(place)
  await (await openReader(place)).close() // or a mistyped name would become a new file
  return openLedger(place).catch((fault: Error) => {
    throw new Error(`${fault.message}. Where a serve runs on it, stop that first: one process has the file at a time.`)
  })
}

function moveOf(positionals: readonly string[], actualText: string, reason: string): AdjustMove {
  const [id, ...more] = positionals
  if (id === undefined || more.length > 0) throw new ConfigError("one reservation's ID is needed; see 'purser ledger adjust --help'")
  if (!isReservationId(id)) throw new ConfigError(`${id}: not the id of a reservation, which is 32 hex digits`)
  const actual = /^\d{1,12}(\.\d{1,9})?$/.test(actualText) ? parseDecimalUp(actualText, 9) : null
  if (actual === null) throw new ConfigError(`--actual ${actualText}: allowed: USD as a decimal with up to 9 places, for instance 0.0125`)
  // The same word twice is one adjustment: a repeated command, after a timeout for instance, moves nothing.
  const adjustId = createHash('sha256')
    .update(JSON.stringify([id, `${actual}`, reason]))
    .digest('hex')
    .slice(0, 32)
  const move = { adjustId, id, actual, reason }
  const fault = checkAdjust(move, LEDGER_RULES)
  if (fault !== null) throw new ConfigError(`this adjustment cannot be made: ${fault.why}`)
  return move
}

/** The entry that the adjustment wrote, among those after `seq`. */
async function entryOf(ledger: Ledger, { id, adjustId }: AdjustMove, seq: number): Promise<LedgerEntry | null> {
  for (let afterSeq = seq; ; ) {
    const page = await ledger.entries({ afterSeq, count: 1_000 })
    if (page.kind !== 'read') return null
    const found = page.value.find(entry => entry.what === 'adjusted' && entry.id === id && adjustIdOf(entry.how) === adjustId)
    if (found !== undefined) return found
    const last = page.value.at(-1)
    if (last === undefined) return null
    afterSeq = last.seq
  }
}

function adjustedText({ id, actual }: AdjustMove, entry: LedgerEntry | null): string {
  const charged = `Reservation ${id} is charged ${formatUsd(actual)} USD now, proven.\n`
  if (entry === null) return `${charged}What it changed could not be read back.\n`
  return `${charged}${entry.lines.map(changeText).join('')}Entry ${entry.seq} of the stream tells of it, with your reason.\n`
}

/** What one budget had before, and has now. */
function changeText({ key, window, moved, balance }: EntryLine): string {
  const changed = (['spent', 'suspense', 'overrun'] as const).flatMap(name =>
    moved[name] === 0n ? [] : [`${name} ${amountWords(balance[name] - moved[name], key)} -> ${amountWords(balance[name], key)}`],
  )
  if (moved.spent !== 0n)
    changed.push(`available ${amountWords(balance.available + moved.spent, key)} -> ${amountWords(balance.available, key)}`)
  return `  ${budgetWords(key, window)}: ${changed.length === 0 ? 'unchanged' : changed.join(', ')}\n`
}

function sentence(outcome: Exclude<AdjustOutcome, { kind: 'adjusted' | 'already-adjusted' }>, { id }: AdjustMove): string {
  switch (outcome.kind) {
    case 'still-open':
      return `Reservation ${id} is still open: its call goes on, or it is charged when it expires. Adjust it after that.`
    case 'not-in-suspense':
      return `Reservation ${id} was charged more than that with proof, and a proven charge is not taken back. To make room, raise the limit.`
    case 'forgotten':
      return `The ledger has no record of reservation ${id}: check the id. Proven charges are kept for 15 minutes, others for 24 hours; the stream tells of them for longer (purser ledger export).`
    case 'no-money':
      return `Reservation ${id} counts in no budget of USD: there is nothing to adjust.`
    case 'out-of-bounds':
      return `This adjustment cannot be made: ${outcome.why}.`
    case 'clock-skew':
      return `Nothing was adjusted: ${faultWords(outcome)}.`
    case 'unavailable':
      return `It is not known whether it was adjusted: ${outcome.why}. Run the same command again; it moves nothing twice.`
  }
}

const isReservationId = (id: string): id is ReservationId => isHexId(id)
