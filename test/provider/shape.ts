// What every wire shape of the fake provider has in common: an answer free of formats, its words, its ids.
import { randomBytes } from 'node:crypto'
import type { Asked } from './asked.ts'

export interface Answer {
  readonly asked: Asked
  /** The model that answers, as the real provider spells it in its answers. */
  readonly model: string
  readonly id: string
  /** Seconds since the epoch. */
  readonly created: number
  readonly inputTokens: number
  /** Of all choices together. */
  readonly outputTokens: number
  /** Whether the bound cut the answer. */
  readonly cut: boolean
  /** `right`, or what the request asked to be wrong. */
  readonly usage: 'right' | 'missing' | 'contradictory'
}

/** A stream: what comes before the first token, each token's event, and what follows the last. */
export interface EventStream {
  readonly before: string
  token(index: number): string
  readonly after: string
  /** The event of an error in the middle, instead of what follows. */
  failure(index: number): string
}

export interface Shape {
  json(answer: Answer): string
  stream(answer: Answer): EventStream
  error(status: number, message: string): string
  readonly headers: Readonly<Record<string, string>>
}

/** Short words that are one token each, in the order of an answer. */
const WORDS = (
  'The river runs down to the sea and no one can say how long it has been on its way for there is a time in the year when it is low ' +
  'so that a man may walk from one side to the other and then the rain comes and it is wide again as it was in the old days'
).split(' ')

/** The token at an index of one choice: a word with its space, the first one without. */
export const word = (index: number): string => (index === 0 ? (WORDS[0] ?? '') : ` ${WORDS[index % WORDS.length]}`)

export const words = (count: number): string => {
  let text = ''
  for (let index = 0; index < count; index++) text += word(index)
  return text
}

/** The tokens of one choice; every choice has as many. */
export const perChoice = (answer: Answer): number => answer.outputTokens / answer.asked.choices

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
let batch = randomBytes(0)
let used = 0

/** Random letters and digits, cheap: random bytes are drawn by the page. */
export function letters(count: number): string {
  let text = ''
  for (let taken = 0; taken < count; taken++) {
    if (used === batch.length) {
      batch = randomBytes(4_096)
      used = 0
    }
    text += LETTERS[(batch[used++] ?? 0) % LETTERS.length]
  }
  return text
}
