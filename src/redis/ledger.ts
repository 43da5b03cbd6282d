// The ledger in Redis: one script a move, each an atomic step. It decides nothing by itself: the law is in `lua/`, the oracle in the core.
import { assert } from '../core/assert.ts'
import { checkReserve, checkSettle, isHexId } from '../core/move-bounds.ts'
import type {
  BeatOutcome,
  Holder,
  Line,
  ReleaseMove,
  ReleaseOutcome,
  ReserveMove,
  ReserveOutcome,
  SettleMove,
  SettleOutcome,
} from '../core/reservation.ts'
import { BATCH_REQUESTS_MAX, LEDGER_RULES } from '../limits.ts'
import type { Clock, Ledger } from '../ports.ts'
import { parseRedisUrl } from './address.ts'
import { Connection } from './connection.ts'
import { asRow, decodeBeat, decodeRelease, decodeReserve, decodeSettle } from './decode.ts'
import { encodeRelease, encodeReserves, encodeSettles, lineCount } from './encode.ts'
import { GroupCommit } from './group-commit.ts'
import { inspection } from './inspection.ts'
import { balanceName, ledgerKeys, parseLinesText } from './keys.ts'
import { entries, list, read, reservations } from './reading.ts'
import { type Ran, Runner } from './runner.ts'
import { readScripts } from './scripts.ts'
import { sweep } from './sweep.ts'

const SETTLES_AT_ONCE = 8 // short scripts: nobody waits for a settlement, but every reserve waits for the script before it

export interface RedisLedgerOptions {
  /** `redis://[user:password@]host[:port][/db]`, or `rediss:` for TLS. */
  readonly url: string
  /** Tells installations on one server apart. */
  readonly name: string
  /** The caller's wall clock goes with every move. */
  readonly clock: Clock
  /** How many entries the stream keeps at least; Redis trims it in strides of about a hundred. */
  readonly streamMax: number
  /** For tests only: store time in ms instead of the server's own clock. */
  readonly storeClockMs?: () => number
}

/**
 * Opens the ledger `name` on a Redis server (7.0 or newer, a primary, `noeviction`) and brings the scripts to it.
 * Later losses of the server are outcomes (`unavailable`), and it is used again by itself when it is back.
 * @throws Error with a sentence for the operator when the server cannot be reached or must not be used.
 */
export async function openRedisLedger(options: RedisLedgerOptions): Promise<Ledger> {
  const address = parseRedisUrl(options.url)
  const keys = ledgerKeys(options.name)
  assert(Number.isSafeInteger(options.streamMax) && options.streamMax > 0, 'the stream keeps a positive number of entries')
  const scripts = readScripts()
  const connection = await Connection.open(address, inspection(`${address.host}:${address.port}`, keys.meta, Object.values(scripts)))
  const runner = new Runner(connection, scripts, keys, options)
  const reserves = new GroupCommit(
    (moves: readonly ReserveMove[]) => runner.runBatch('reserve', moves, batch => encodeReserves(keys, batch)),
    { lineCount, movesMax: BATCH_REQUESTS_MAX },
  )
  const settles = new GroupCommit((moves: readonly SettleMove[]) => runner.runBatch('settle', moves, batch => encodeSettles(keys, batch)), {
    lineCount: move => move.lines.length,
    movesMax: SETTLES_AT_ONCE,
  })
  return {
    reserve: async move => oddLine(move.alternatives.flat()) ?? checkReserve(move, LEDGER_RULES) ?? reserved(await reserves.add(move)),
    settle: async move => oddLine(move.lines) ?? checkSettle(move, LEDGER_RULES) ?? settled(await settles.add(move)),
    release: async move => release(runner, move),
    beat: async holder => beat(runner, holder),
    sweep: async () => sweep(runner),
    read: async lines => read(runner, lines),
    list: async query => list(runner, query),
    reservations: async query => reservations(runner, query),
    entries: async query => entries(runner, query),
    close: async () => connection.close(),
  }
}

const reserved = (ran: Ran): ReserveOutcome => (ran.kind === 'reply' ? decodeReserve(asRow(ran.value)) : ran)
const settled = (ran: Ran): SettleOutcome => (ran.kind === 'reply' ? decodeSettle(asRow(ran.value)) : ran)

/** Where the record has other lines than the move knows, the script says so, and is called again with theirs. */
async function release(runner: Runner, move: ReleaseMove): Promise<ReleaseOutcome> {
  assert(isHexId(move.id) && isHexId(move.holder), 'ids and holders are 32 hex digits')
  let lines: readonly Line[] = move.lines
  for (let tries = 1; tries <= 3; tries++) {
    const names = lines.map(line => balanceName(line.key, line.window))
    const reply = await runner.run('release', encodeRelease(runner.keys, move, names))
    if (reply.kind !== 'reply') return reply
    const outcome = decodeRelease(asRow(reply.value))
    if (outcome.kind !== 'changed') return outcome
    lines = parseLinesText(outcome.lines)
  }
  return { kind: 'unavailable', why: 'the reservation changed under its release, three times over' }
}

async function beat(runner: Runner, holder: Holder): Promise<BeatOutcome> {
  assert(isHexId(holder), 'a holder is 32 hex digits')
  const reply = await runner.run('beat', { keys: [], args: [holder] })
  return reply.kind === 'reply' ? decodeBeat(asRow(reply.value)) : reply
}

/** Records are cut at spaces and line ends, which no budget's key holds. */
function oddLine(lines: readonly Line[]): { readonly kind: 'out-of-bounds'; readonly why: string } | null {
  const odd = lines.some(line => /\s/.test(`${line.key}${line.unit}`))
  return odd ? { kind: 'out-of-bounds', why: 'the key of a budget has a space in it' } : null
}
