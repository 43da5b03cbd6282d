// Group commit: one batch in flight; what waits meanwhile forms the next, without a timer. It sends nothing itself and orders nothing.
import { BATCH_LINES_MAX } from '../limits.ts'

interface Waiting<Move, Outcome> {
  readonly move: Move
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

export class GroupCommit<Move, Outcome> {
  readonly #commit: (moves: readonly Move[]) => Promise<readonly Outcome[]>
  readonly #lineCount: (move: Move) => number
  readonly #movesMax: number
  #waiting: Waiting<Move, Outcome>[] = []
  #inFlight = false

  /** `commit` answers one outcome a move, in their order; a batch has at most `movesMax` moves, and of lines what a script may have. */
  constructor(
    commit: (moves: readonly Move[]) => Promise<readonly Outcome[]>,
    { lineCount, movesMax }: { readonly lineCount: (move: Move) => number; readonly movesMax: number },
  ) {
    this.#commit = commit
    this.#lineCount = lineCount
    this.#movesMax = movesMax
  }

  add(move: Move): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ move, resolve, reject })
      if (!this.#inFlight) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#inFlight = true
    while (this.#waiting.length > 0) {
      const batch = this.#take()
      try {
        const outcomes = await this.#commit(batch.map(({ move }) => move))
        for (const [index, { resolve, reject }] of batch.entries()) {
          const outcome = outcomes[index]
          if (outcome === undefined) reject(new Error('a move was left without an outcome'))
          else resolve(outcome)
        }
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#inFlight = false
  }

  #take(): Waiting<Move, Outcome>[] {
    return this.#waiting.splice(
      0,
      batchSize(this.#waiting, ({ move }) => this.#lineCount(move), this.#movesMax),
    )
  }
}

/** How many of the first moves go into one script: at most `movesMax`, of lines what a script may have, and one in any case. */
export function batchSize<Move>(moves: readonly Move[], lineCount: (move: Move) => number, movesMax: number): number {
  let lines = 0
  let count = 0
  for (const move of moves) {
    lines += lineCount(move)
    if (count > 0 && (lines > BATCH_LINES_MAX || count >= movesMax)) break
    count += 1
  }
  return count
}
