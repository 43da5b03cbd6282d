// Moves as the keys and arguments of scripts. Amounts leave as decimal strings; nothing is sent from here.
import type { Line, ReleaseMove, ReservationId, ReserveMove, SettleMove } from '../core/reservation.ts'
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
  for (const { id, holder, proven, how, lines, amounts } of moves) {
    const at = lines.map(line => places.of(line))
    const reserved = lines.map(line => line.amount)
    args.push(id, holder, proven ? '1' : '0', how, linesText(lines), at.join(' '), reserved.join(' '), amounts.join(' '))
  }
  return { keys: [...moves.map(move => keys.record(move.id)), ...places.names.map(keys.balance)], args }
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

export function encodeExpire(
  keys: Keys,
  records: readonly { readonly id: ReservationId; readonly names: readonly BalanceName[] }[],
): ScriptCall {
  const balances = new Set(records.flatMap(record => record.names))
  const ids = records.map(record => record.id)
  return { keys: [...ids.map(keys.record), ...[...balances].map(keys.balance)], args: [`${ids.length}`, ...ids] }
}

export function encodeCollect(keys: Keys, names: readonly BalanceName[], ids: readonly ReservationId[]): ScriptCall {
  return { keys: [...ids.map(keys.record), ...names.map(keys.balance)], args: [`${ids.length}`, ...ids] }
}

/** A word in a record's head, which is cut at spaces. */
const word = (text: string): string => (text === '' ? '-' : encodeURIComponent(text.toWellFormed()))
