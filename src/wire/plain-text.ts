// The hot loops over text: the ASCII bytes of a string up to the first that is not plain, counted by class or not. Knows no JSON and no UTF-8.
import { DENSE_RUN, DIGIT, HIGH, JOINER, LETTER, SPACE, STRING_CLASS, type TextTally } from './text-tally.ts'

/** The first byte from `from` on that is high or may not stand in a JSON string; the piece's length where none is. */
export function plainEnd(piece: Uint8Array, from: number): number {
  let at = from
  while (at < piece.length && (STRING_CLASS[piece[at] as number] as number) < HIGH) at++
  return at
}

/** Counts one string after another; a dense run goes on from one call to the next until it is ended. */
export class PlainText {
  #run = 0

  /** A new string. */
  begin(): void {
    this.#run = 0
  }

  /** Counts from `from` up to the first byte that is high or may not stand in a JSON string; returns its index, or the piece's length. */
  count(piece: Uint8Array, from: number, tally: TextTally): number {
    const { length } = piece
    let at = from
    let digits = 0
    let spaces = 0
    let marks = 0
    let run = this.#run
    while (at < length) {
      const start = at
      let kind = LETTER
      // Most bytes are letters: a loop of their own keeps all else out of it.
      while (at < length) {
        kind = STRING_CLASS[piece[at] as number] as number
        if (kind !== LETTER) break
        at++
      }
      run += at - start
      if (at === length || kind >= HIGH) break
      at++
      if (kind <= JOINER) {
        run++
        if (kind === DIGIT) digits++
        else marks++
      } else {
        if (run > DENSE_RUN) tally.dense += run
        run = 0
        if (kind === SPACE) spaces++
        else marks++
      }
    }
    this.#run = run
    tally.digits += digits
    tally.spaces += spaces
    tally.marks += marks
    tally.letters += at - from - digits - spaces - marks
    return at
  }

  /** One more byte of a dense run, counted elsewhere. */
  goOn(): void {
    this.#run++
  }

  /** Something that no dense run holds, or the end of the string. */
  endRun(tally: TextTally): void {
    if (this.#run > DENSE_RUN) tally.dense += this.#run
    this.#run = 0
  }
}
