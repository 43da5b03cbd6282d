// The ledger in Redis: one script a move, each an atomic step. It decides nothing by itself: the law is in `lua/`, the oracle in the core.
import { assert } from '../core/assert.ts'
import { checkReserve, checkSettle } from '../core/move-bounds.ts'
import type {
  AcknowledgeOutcome,
  ReassertMove,
  ReassertOutcome,
  ReserveMove,
  ReserveOutcome,
  SettleMove,
  SettleOutcome,
} from '../core/reservation.ts'
import { BATCH_REQUESTS_MAX, LEDGER_RULES, SETTLES_AT_ONCE } from '../limits.ts'
import type { Clock, Ledger, Telemetry, Timer } from '../ports.ts'
import { type OpenClient, openIoredis } from './client.ts'
import type { TlsFiles } from './client-options.ts'
import { connectLedger } from './connect-ledger.ts'
import { asRow, decodeAcknowledge, decodeReserve, decodeSettle } from './decode.ts'
import { encodeReserves, encodeSettles, lineCount } from './encode.ts'
import { GroupCommit } from './group-commit.ts'
import { Holdings } from './holdings.ts'
import { ledgerKeys } from './keys.ts'
import { beat, observe, reassert } from './progress.ts'
import { entries, find, findByResponse, list, read, reservations } from './reading.ts'
import { type Channel, type Ran, Runner } from './runner.ts'
import { readScripts } from './scripts.ts'
import { sweep } from './sweep.ts'
import { adjust, release } from './two-steps.ts'

export interface RedisLedgerOptions {
  /** As `parseRedisUrl` reads it. */
  readonly url: string
  readonly tls?: TlsFiles
  /** How many replicas must have a reservation before it counts; 0, the default, waits for none. */
  readonly guarded?: number
  readonly telemetry?: Pick<Telemetry, 'fault' | 'ledgerMemory'>
  /** Tells installations on one server apart. */
  readonly name: string
  /** The caller's wall clock goes with every move. */
  readonly clock: Clock
  readonly timer: Timer
  /** How many entries the stream keeps at least; Redis trims it in strides of about a hundred. */
  readonly streamMax: number
  /** For tests only: another client than ioredis. */
  readonly openClient?: OpenClient
  /** For tests only: store time in ms instead of the server's own clock. */
  readonly storeClockMs?: () => number
}

export interface RedisLedger extends Ledger {
  /** Of recovery: opens again what the store has lost, whether it fits or not; an outcome each. */
  reassert(moves: readonly ReassertMove[]): Promise<readonly ReassertOutcome[]>
}

/**
 * Opens the ledger `name` on a Redis server (7.0 or newer, a primary, `noeviction`) and brings the scripts to it.
 * Later losses of the server are outcomes (`unavailable`), and it is used again by itself when it is back.
 * @throws Error with a sentence for the operator when the server cannot be reached or must not be used.
 */
export async function openRedisLedger(options: RedisLedgerOptions): Promise<RedisLedger> {
  const keys = ledgerKeys(options.name)
  assert(Number.isSafeInteger(options.streamMax) && options.streamMax > 0, 'the stream keeps a positive number of entries')
  const scripts = readScripts()
  const holdings = new Holdings(options.clock)
  const over = (channel: Channel): Runner => new Runner(channel, scripts, keys, { ...options, holdings })
  const connection = await connectLedger({ openClient: openIoredis, ...options }, keys.meta, { scripts, holdings, over })
  const runner = over(connection)
  const reserves = new GroupCommit(
    (moves: readonly ReserveMove[]) => runner.runBatch('reserve', moves, batch => encodeReserves(keys, batch)),
    { lineCount, movesMax: BATCH_REQUESTS_MAX },
  )
  const settles = new GroupCommit((moves: readonly SettleMove[]) => runner.runBatch('settle', moves, batch => encodeSettles(keys, batch)), {
    lineCount: move => move.lines.length,
    movesMax: SETTLES_AT_ONCE,
  })
  return {
    reserve: async move => checkReserve(move, LEDGER_RULES) ?? reserved(await reserves.add(move), move, holdings),
    settle: async move => {
      const outcome = checkSettle(move, LEDGER_RULES) ?? settled(await settles.add(move))
      if (outcome.kind !== 'unavailable' && outcome.kind !== 'clock-skew') holdings.closed({ kind: 'settle', move })
      return outcome
    },
    release: async move => {
      const outcome = await release(runner, move)
      if (outcome.kind !== 'unavailable' && outcome.kind !== 'clock-skew') holdings.closed({ kind: 'release', move })
      return outcome
    },
    beat: async holder => beat(runner, holder),
    observe: async move => observe(runner, move),
    adjust: async move => adjust(runner, move),
    reassert: async moves => reassert(runner, moves),
    sweep: async () => sweep(runner),
    read: async lines => read(runner, lines),
    list: async query => list(runner, query),
    reservations: async query => reservations(runner, query),
    entries: async query => entries(runner, query),
    find: async id => find(runner, id),
    findByResponse: async response => findByResponse(runner, response),
    acknowledge: async seq => acknowledge(runner, seq),
    close: async () => connection.close(),
  }
}

function reserved(ran: Ran, move: ReserveMove, holdings: Holdings): ReserveOutcome {
  if (ran.kind !== 'reply') return ran
  const outcome = decodeReserve(asRow(ran.value))
  if (outcome.kind === 'reserved') holdings.opened(move, outcome.alternative, outcome.balances)
  else if (outcome.kind === 'exists' && outcome.open) holdings.opened(move, outcome.alternative, [])
  return outcome
}

const settled = (ran: Ran): SettleOutcome => (ran.kind === 'reply' ? decodeSettle(asRow(ran.value)) : ran)

async function acknowledge(runner: Runner, seq: number): Promise<AcknowledgeOutcome> {
  assert(Number.isSafeInteger(seq) && seq >= 0, 'an exporter acknowledges up to an entry')
  const reply = await runner.run('acknowledge', { keys: [], args: [`${seq}`] })
  return reply.kind === 'reply' ? decodeAcknowledge(asRow(reply.value)) : reply
}
