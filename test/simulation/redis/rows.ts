// What the scripts write and answer, as texts: the inverse of the adapter's decoding. Money leaves as decimal strings.
import type { Balance, ReserveMove, ReserveOutcome, SettleOutcome } from '../../../src/core/reservation.ts'
import type { Entry, EntryLine, StoredRecord } from '../../../src/core/shelf.ts'
import { balanceName, linesText } from '../../../src/redis/keys.ts'

export type Row = readonly string[]

export const figuresText = ({ limit, available, reserved, spent, suspense, overrun }: Balance): string =>
  [limit, available, reserved, spent, suspense, overrun].join(' ')

export function reserveRow(move: ReserveMove, outcome: ReserveOutcome): Row {
  switch (outcome.kind) {
    case 'reserved': {
      const lines = move.alternatives[outcome.alternative] ?? []
      const texts = outcome.balances.map((balance, index) => {
        const line = lines[index]
        if (line === undefined) throw new Error('a balance belongs to a line')
        return `${balanceName(line.key, line.window)} ${line.amount} ${line.hard ? 1 : 0} ${figuresText(balance)} ${line.amount}`
      })
      return [outcome.kind, `${outcome.alternative}`, `${outcome.storeMs}`, ...texts]
    }
    case 'refused':
      return [
        outcome.kind,
        `${outcome.storeMs}`,
        ...outcome.lines.flatMap(({ index, balance, fitsMs }) => [`${index}`, ...figuresText(balance).split(' '), `${fitsMs ?? ''}`]),
      ]
    case 'exists':
      return [outcome.kind, `${outcome.alternative}`, outcome.open ? '1' : '0', `${outcome.storeMs}`]
    default:
      return plainRow(outcome)
  }
}

export const settleRow = (outcome: SettleOutcome): Row =>
  outcome.kind === 'settled-over' ? [...plainRow(outcome), ...outcome.overrun.map(String)] : plainRow(outcome)

/** The rows that are a word and the time. The core's word for lines that are not the record's is the adapter's. */
export function plainRow(outcome: { readonly kind: string; readonly storeMs?: number }): Row {
  if (outcome.kind === 'out-of-bounds') return ['lines-differ', '0']
  return [outcome.kind, `${outcome.storeMs ?? 0}`]
}

/** An entry as XRANGE answers it. */
export const entryItem = ({ seq, what, id, how, storeMs, admittedMs, lines }: Entry): readonly [string, Row] => [
  `${seq}-0`,
  ['what', what, 'id', id, 'how', how, 'ms', `${storeMs}`, 'at', `${admittedMs}`, 'lines', lines.map(entryLineText).join('\n')],
]

/** The zeros at the end of what the move did are left out. */
function entryLineText({ key, window, amount, hard, balance, moved }: EntryLine): string {
  const { reserved, spent, suspense, overrun } = moved
  const told = [reserved, spent, suspense, overrun].join(' ').replace(/( ?\b0)+$/, '')
  return [balanceName(key, window), amount, hard ? 1 : 0, figuresText(balance), told].join(' ').trimEnd()
}

export function recordText(record: StoredRecord): string {
  const { state, holder, deadlineMs, admittedMs, alternative, raised, priceBook, adjustId, response, arrears, charged, lines } = record
  const word = (text: string): string => (text === '' ? '-' : text)
  const head = [state, holder, deadlineMs, admittedMs, alternative, raised ? 1 : 0, word(encodeURIComponent(priceBook))]
  const told = adjustId !== '' || response !== '' || arrears ? [word(adjustId), word(response), arrears ? 1 : 0] : []
  return `${[...head, ...told].join(' ')}\n${charged.join(' ')}\n${linesText(lines)}`
}
