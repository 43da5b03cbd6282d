// The Lua scripts: read where they lie, put together, loaded, and run by their SHA. It knows nothing of what they do.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CLOCK_SKEW_MS,
  COLLECT_AFTER_MS,
  DEADLINE_MS,
  HOLDER_STALE_MS,
  PRESENT_EVERY_MS,
  RECOVER_MS,
  RESUME_GAP_MS,
  RETAIN_PROVEN_MS,
  RETAIN_UNPROVEN_MS,
  SLIDING_BUCKETS,
  TOMBSTONE_MS,
  VERSION_FORGET_MS,
} from '../limits.ts'
import type { Reply, Send } from './connection.ts'

/** The moves; each is one file of `lua/`. */
export const MOVES = [
  'reserve',
  'settle',
  'release',
  'beat',
  'observe',
  'adjust',
  'reassert',
  'look',
  'expire',
  'collect',
  'acknowledge',
  'read',
  'recover',
  'report',
] as const
export type Move = (typeof MOVES)[number]

export interface Script {
  readonly text: string
  readonly sha: string
}

/** The bounds that scripts need, from the one page that has them. */
const LIMITS = {
  CLOCK_SKEW_MS,
  COLLECT_AFTER_MS,
  DEADLINE_MS,
  HOLDER_STALE_MS,
  PRESENT_EVERY_MS,
  RECOVER_MS,
  RESUME_GAP_MS,
  RETAIN_PROVEN_MS,
  RETAIN_UNPROVEN_MS,
  SLIDING_BUCKETS,
  TOMBSTONE_MS,
  VERSION_FORGET_MS,
}

const lua = (name: string): string => readFileSync(join(import.meta.dirname, 'lua', `${name}.lua`), 'utf8')

let scripts: Readonly<Record<Move, Script>> | null = null

/** Every move, read and put together once: its first line (the flags), the bounds, what the moves share, and its own text. */
export function readScripts(): Readonly<Record<Move, Script>> {
  scripts ??= putTogether()
  return scripts
}

function putTogether(): Readonly<Record<Move, Script>> {
  const shared = sharedText()
  const entries = MOVES.map((move): [Move, Script] => {
    const own = lua(move)
    const flags = own.slice(0, own.indexOf('\n') + 1)
    return [move, script(`${flags}${shared}${own.slice(flags.length)}`)]
  })
  return Object.fromEntries(entries) as Record<Move, Script>
}

/** The bounds, and what all moves share. */
export function sharedText(): string {
  const limits = Object.entries(LIMITS).map(([name, value]) => `local ${name} = ${value}`)
  return [...limits, lua('prelude'), lua('balances'), lua('charges')].join('\n')
}

/** The fence of an epoch: present on a server, that server is the one we wrote to. */
export const readFence = (epoch: string): Script => script(lua('fence').replace('EPOCH', epoch))

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** Loads scripts in one round trip; the first reply that is no success, else null. */
export async function loadScripts(send: Send, scripts: readonly Script[]): Promise<Exclude<Reply, { kind: 'reply' }> | null> {
  const replies = await Promise.all(scripts.map(({ text }) => send('SCRIPT', ['LOAD', text])))
  for (const reply of replies) if (reply.kind !== 'reply') return reply
  return null
}
