// Moves as the keys and arguments of scripts. Amounts leave as decimal strings; nothing is sent from here.
import type {
  AdjustMove,
  Line,
  ObserveMove,
  ReassertMove,
  ReleaseMove,
  ReservationId,
  ReserveMove,
  SettleMove,
} from '../core/reservation.ts'
import { type BalanceName, balanceName, type Keys, linesText } from './keys.ts'

/** What a script is given after the keys and the three arguments that every move has. */
export interface ScriptCall {
  readonly keys: readonly string[]
  readonly args: readonly string[]
}

/** Lines that a reserve declares, for the bound of a batch. */
export const lineCount = (move: ReserveMove): number => move.alternatives.reduce((sum, lines) => sum + lines.length, 0)

export function encodeReserves(keys: Keys, moves: readonly ReserveMove[]): ScriptCall {
  const places = new Places()
  const args = [`${moves.length}`]
  for (const move of moves) {
    args.push(move.id, move.holder, `${move.deadlineMs}`, `${move.notAfterMs}`, word(move.priceBook), `${move.alternatives.length}`)
    for (const lines of move.alternatives) {
      args.push(linesText(lines), `${lines.length}`)
      for (const line of lines) pushLine(args, line, places.of(line))
    }
  }
  return { keys: [...moves.map(move => keys.record(move.id)), ...places.names.map(keys.balance)], args }
}

function pushLine(args: string[], line: Line, place: number): void {
  const { createdMs, generation, grantMs } = line.version
  args.push(`${place}`, `${line.amount}`, `${line.limit}`, `${createdMs} ${generation} ${grantMs}`, line.hard ? '1' : '0')
}

export function encodeSettles(keys: Keys, moves: readonly SettleMove[]): ScriptCall {
  const places = new Places()
  const args = [`${moves.length}`]
  for (const { id, holder, proven, arrears, how, response, lines, amounts } of moves) {
    const at = lines.map(line => places.of(line))
    const reserved = lines.map(line => line.amount)
    const hard = lines.map(line => (line.hard ? '1' : '0'))
    args.push(id, holder, proven ? '1' : '0', arrears === true ? '1' : '0', how, response ?? '', linesText(lines))
    args.push(at.join(' '), reserved.join(' '), amounts.join(' '), hard.join(''))
  }
  const responses = moves.flatMap(({ response }) => (response === undefined ? [] : [keys.response(response)]))
  return { keys: [...moves.map(move => keys.record(move.id)), ...responses, ...places.names.map(keys.balance)], args }
}

export function encodeReasserts(keys: Keys, moves: readonly ReassertMove[]): ScriptCall {
  const places = new Places()
  for (const line of moves.flatMap(move => move.lines)) places.of(line)
  const told = moves.flatMap(move => [move.id, move.holder, `${move.deadlineMs}`, word(move.priceBook), linesText(move.lines)])
  return { keys: [...moves.map(move => keys.record(move.id)), ...places.names.map(keys.balance)], args: [`${moves.length}`, ...told] }
}

export function encodeObserve(keys: Keys, { holder, progress }: ObserveMove): ScriptCall {
  const amounts = progress.map(each => each.amounts.join(' '))
  return { keys: progress.map(({ id }) => keys.record(id)), args: [holder, `${progress.length}`, ...amounts] }
}

/** The balances of a batch, each once, and where among them a line's is. */
class Places {
  readonly #places = new Map<BalanceName, number>()

  of(line: Line): number {
    const name = balanceName(line.key, line.window)
    const place = this.#places.get(name) ?? this.#places.size
    this.#places.set(name, place)
    return place
  }

  get names(): BalanceName[] {
    return [...this.#places.keys()]
  }
}

/** `names`: the balances of the record's lines, as far as they are known. */
export function encodeRelease(keys: Keys, move: ReleaseMove, names: readonly BalanceName[]): ScriptCall {
  return { keys: [keys.record(move.id), ...names.map(keys.balance)], args: [move.id, move.holder, move.how] }
}

/** `names`: the balances of the record's lines, as far as they are known. */
export function encodeAdjust(keys: Keys, move: AdjustMove, names: readonly BalanceName[]): ScriptCall {
  const { adjustId, id, actual, reason } = move
  return { keys: [keys.record(id), ...names.map(keys.balance)], args: [adjustId, id, `${actual}`, `${adjustId} ${reason}`] }
}

export function encodeExpire(
  keys: Keys,
  records: readonly { readonly id: ReservationId; readonly names: readonly BalanceName[] }[],
): ScriptCall {
  const balances = new Set(records.flatMap(record => record.names))
  const ids = records.map(record => record.id)
  return { keys: [...ids.map(keys.record), ...[...balances].map(keys.balance)], args: [`${ids.length}`, ...ids] }
}

/** `records` with the hash of the response that each was settled under; empty for none. */
export function encodeCollect(
  keys: Keys,
  names: readonly BalanceName[],
  records: readonly { readonly id: ReservationId; readonly response: string }[],
): ScriptCall {
  const ids = records.map(({ id }) => id)
  const responses = records.map(({ response }) => response)
  const responseKeys = responses.filter(response => response !== '').map(keys.response)
  return { keys: [...ids.map(keys.record), ...responseKeys, ...names.map(keys.balance)], args: [`${ids.length}`, ...ids, ...responses] }
}

/** A word in a record's head, which is cut at spaces. */
const word = (text: string): string => (text === '' ? '-' : encodeURIComponent(text.toWellFormed()))
