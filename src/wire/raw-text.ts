// Text outside JSON (fields of forms, plain answers), counted by class of byte as the strings of JSON are. Keeps numbers, never text.
import { DENSE_RUN, JOINER, SPACE, STOP, STRING_CLASS, type TextTally } from './text-tally.ts'

export class RawText {
  readonly #tally: TextTally
  /** Bytes of the open run of letters, digits and joiners. */
  #run = 0

  constructor(tally: TextTally) {
    this.#tally = tally
  }

  /** Bytes of UTF-8, or of anything else: one that is not ASCII counts as `high`. */
  add(piece: Uint8Array): void {
    const counts = new Uint32Array(STOP + 1)
    let run = this.#run
    let dense = 0
    for (let at = 0; at < piece.length; at++) {
      const kind = RAW_CLASS[piece[at] as number] as number
      counts[kind] = (counts[kind] as number) + 1
      if (kind > JOINER) run = 0
      else if (++run > DENSE_RUN) dense += run === DENSE_RUN + 1 ? run : 1
    }
    this.#run = run
    const [letters = 0, digits = 0, joiners = 0, spaces = 0, marks = 0, high = 0, others = 0] = counts
    this.#tally.letters += letters
    this.#tally.digits += digits
    this.#tally.spaces += spaces
    this.#tally.marks += joiners + marks + others
    this.#tally.high += high
    this.#tally.dense += dense
  }
}

/** As inside a JSON string, but that blanks stand as they are. */
const RAW_CLASS: Uint8Array = STRING_CLASS.map((kind, byte) => (byte === 0x0a || byte === 0x0d || byte === 0x09 ? SPACE : kind))
