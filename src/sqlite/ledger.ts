// The embedded ledger: the port in front of one thread that owns one file. Sends what waits as one batch; never touches the file itself.
import { Worker } from 'node:worker_threads'
import { oneClock } from '../core/one-clock.ts'
import type { MoveTime } from '../core/step.ts'
import { LEDGER_RULES } from '../limits.ts'
import type { Clock, Ledger } from '../ports.ts'
import type { Answer, Request, Said, Start, Told } from './messages.ts'

export interface SqliteOptions {
  readonly file: string
  /** The store's clock and the callers' alike: there is one process (see `core/one-clock.ts`). */
  readonly clock: Clock
  /** Entries kept beside the 35 days; all of them unless told. */
  readonly streamMax?: number
  /** How long to wait for another process to let go of the file. */
  readonly lockWaitMs?: number
  /** A bound on the file, in pages of 4 KiB: what a full disk would be. */
  readonly pagesMax?: number
}

/** Moves in one durable step: what a tenth of a second can do, so that no caller waits long behind the others. */
const BATCH_MAX = 512

/**
 * Opens or creates the ledger in `file` (local disks only), with `file.lock` beside it held until {@link Ledger.close}. Reservations
 * left open by an earlier run are expired at once. Rejects with a sentence that names the file where it cannot be had.
 */
export async function openSqliteLedger(options: SqliteOptions): Promise<Ledger> {
  const { file, clock, streamMax = null, lockWaitMs = 30_000, pagesMax = null } = options
  const start: Start = { file, wallMs: Math.floor(clock.wallMs()), streamMax, lockWaitMs, pagesMax }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: start })
  try {
    const said = await nextSaid(worker)
    if (said.kind === 'failed') throw new Error(said.why)
  } catch (cause) {
    await worker.terminate()
    throw cause
  }
  return portTo(worker, clock)
}

interface Waiting {
  readonly request: readonly [Request, MoveTime]
  readonly resolve: (outcome: unknown) => void
  readonly reject: (cause: Error) => void
}

function portTo(worker: Worker, clock: Clock): Ledger {
  const waiting: Waiting[] = []
  let inFlight: Waiting[] = []
  let stopped: string | null = null
  const timeOf = oneClock(LEDGER_RULES)
  let closing: { readonly ended: Promise<void>; readonly end: () => void } | null = null

  const tell = (told: Told): void => worker.postMessage(told)
  const send = (): void => {
    if (inFlight.length > 0 || stopped !== null) return
    inFlight = waiting.splice(0, BATCH_MAX)
    if (inFlight.length > 0) tell({ kind: 'batch', requests: inFlight.map(each => each.request) })
    else if (closing !== null) tell({ kind: 'close' })
  }
  const stop = (why: string): void => {
    stopped ??= why
    for (const each of [...inFlight, ...waiting.splice(0)]) each.resolve({ kind: 'unavailable', why: stopped })
    inFlight = []
    closing?.end()
  }
  worker.on('message', (said: Said) => {
    if (said.kind !== 'answers') return
    const answered = inFlight
    inFlight = []
    send()
    for (const [index, each] of answered.entries()) settleWaiting(each, said.answers[index])
  })
  worker.on('error', cause => stop(`the ledger's thread failed: ${cause.message}`))
  worker.on('exit', () => stop('the ledger is closed'))

  const ask = <T>(request: Request): Promise<T> =>
    new Promise((resolve, reject) => {
      if (stopped !== null || closing !== null) {
        resolve({ kind: 'unavailable', why: stopped ?? 'the ledger is closed' } as T)
        return
      }
      waiting.push({ request: [request, timeOf(clock.wallMs(), clock.monotonicMs())], resolve: outcome => resolve(outcome as T), reject })
      // All that is asked in one turn of the event loop goes along.
      if (waiting.length === 1) queueMicrotask(send)
    })
  return {
    reserve: move => ask({ kind: 'reserve', move }),
    settle: move => ask({ kind: 'settle', move }),
    release: move => ask({ kind: 'release', move }),
    beat: holder => ask({ kind: 'beat', holder }),
    observe: move => ask({ kind: 'observe', move }),
    adjust: move => ask({ kind: 'adjust', move }),
    sweep: () => ask({ kind: 'sweep' }),
    read: lines => ask({ kind: 'read', lines }),
    list: query => ask({ kind: 'list', query }),
    reservations: query => ask({ kind: 'reservations', query }),
    entries: query => ask({ kind: 'entries', query }),
    find: id => ask({ kind: 'find', id }),
    findByResponse: response => ask({ kind: 'find-by-response', response }),
    acknowledge: seq => ask({ kind: 'acknowledge', seq }),
    close: () => {
      if (stopped !== null) return Promise.resolve()
      if (closing === null) {
        const { promise: ended, resolve: end } = Promise.withResolvers<void>()
        closing = { ended, end }
        send()
      }
      return closing.ended
    },
  }
}

function settleWaiting({ resolve, reject }: Waiting, answer: Answer | undefined): void {
  if (answer?.kind === 'outcome') resolve(answer.outcome)
  else reject(new Error(answer?.why ?? 'the ledger answered fewer moves than it was asked'))
}

function nextSaid(worker: Worker): Promise<Said> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error("the ledger's thread ended before it was ready")))
  })
}
