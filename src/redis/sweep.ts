// The sweep over Redis, in steps: look, then act on a few at a time with their keys declared. A bounded number a call, as in the core.
import type { LedgerFault, ReservationId, SweepOutcome } from '../core/reservation.ts'
import { SWEEP_BATCH } from '../limits.ts'
import { asRow, decodeRecord, decodeResponse } from './decode.ts'
import { encodeCollect, encodeExpire } from './encode.ts'
import { type BalanceName, balanceName } from './keys.ts'
import type { Runner } from './runner.ts'

const EXPIRE_AT_ONCE = 8 // of at most 64 lines: the 512 lines that one script may have

interface Alarms {
  readonly contested: number
  readonly unexported: number
}

interface Looked extends Alarms {
  readonly kind: 'looked'
  readonly storeMs: number
  readonly overdue: readonly ReservationId[]
  readonly due: readonly BalanceName[]
  readonly outlived: readonly ReservationId[]
}

export async function sweep(runner: Runner): Promise<SweepOutcome> {
  let seen = await look(runner)
  if (seen.kind !== 'looked') return seen
  const overdue = seen.overdue.slice(0, SWEEP_BATCH)
  let expired = 0
  for (let at = 0; at < overdue.length; at += EXPIRE_AT_ONCE) {
    const step = await expire(runner, overdue.slice(at, at + EXPIRE_AT_ONCE))
    if (typeof step !== 'number') return step
    expired += step
  }
  let left = SWEEP_BATCH - overdue.length
  if (overdue.length > 0 && left > 0) {
    seen = await look(runner)
    if (seen.kind !== 'looked') return seen
  }
  const due = left > 0 ? await unreserved(runner, seen.due) : []
  if (!Array.isArray(due)) return due
  const final = due.slice(0, left)
  left -= final.length
  const outlived = seen.outlived.slice(0, left)
  left -= outlived.length
  const { contested, unexported, storeMs } = seen
  const done = final.length + outlived.length > 0 ? await collect(runner, final, outlived) : { collected: 0, contested, unexported }
  return 'kind' in done ? done : { kind: 'swept', expired, more: left === 0, ...done, storeMs }
}

async function look(runner: Runner): Promise<Looked | LedgerFault> {
  const reply = await runner.run('look', { keys: [], args: [`${SWEEP_BATCH}`] })
  if (reply.kind !== 'reply') return reply
  const [kind, now, overdue, due, outlived, ...told] = reply.value as [string, string, unknown, unknown, unknown, ...unknown[]]
  if (kind === 'clock-skew') return { kind, storeMs: Number(now) }
  return {
    kind: 'looked',
    storeMs: Number(now),
    overdue: inOrder(asRow(overdue)) as ReservationId[],
    due: inOrder(asRow(due)) as BalanceName[],
    outlived: inOrder(asRow(outlived)) as ReservationId[],
    ...alarms(asRow(told)),
  }
}

/** Expires at most eight; answers how many. One whose lines changed, or that is gone, is left to the next sweep. */
async function expire(runner: Runner, ids: readonly ReservationId[]): Promise<number | LedgerFault> {
  const texts = await runner.command('MGET', ids.map(runner.keys.record))
  if (texts.kind !== 'reply') return texts
  const records = (texts.value as readonly (string | null)[]).flatMap((text, index) => {
    const id = ids[index]
    if (text === null || id === undefined) return []
    return [{ id, names: decodeRecord(id, text).lines.map(line => balanceName(line.key, line.window)) }]
  })
  const reply = await runner.run('expire', encodeExpire(runner.keys, records))
  if (reply.kind !== 'reply') return reply
  const [kind, now, ...words] = asRow(reply.value)
  if (kind === 'clock-skew') return { kind, storeMs: Number(now) }
  return words.filter(word => word === 'expired').length
}

/** Of balances whose time has come, those with nothing reserved. */
async function unreserved(runner: Runner, names: readonly BalanceName[]): Promise<BalanceName[] | LedgerFault> {
  if (names.length === 0) return []
  const reply = await runner.run('read', { keys: names.map(runner.keys.balance), args: [] })
  if (reply.kind !== 'reply') return reply
  const [, , ...figures] = asRow(reply.value)
  return names.filter((_, index) => figures[index]?.split(' ')[2] === '0')
}

async function collect(
  runner: Runner,
  names: readonly BalanceName[],
  ids: readonly ReservationId[],
): Promise<(Alarms & { readonly collected: number }) | LedgerFault> {
  const texts = ids.length === 0 ? NONE : await runner.command('MGET', ids.map(runner.keys.record))
  if (texts.kind !== 'reply') return texts
  const records = (texts.value as readonly (string | null)[]).flatMap((text, index) => {
    const id = ids[index]
    return id === undefined ? [] : [{ id, response: text === null ? '' : decodeResponse(text) }]
  })
  const reply = await runner.run('collect', encodeCollect(runner.keys, names, records))
  if (reply.kind !== 'reply') return reply
  const [kind, now, collected, , ...told] = asRow(reply.value)
  return kind === 'clock-skew' ? { kind, storeMs: Number(now) } : { collected: Number(collected), ...alarms(told) }
}

const alarms = ([contested, unexported]: readonly string[]): Alarms => ({
  contested: Number(contested),
  unexported: Number(unexported),
})

const NONE = { kind: 'reply', value: [] } as const
const inOrder = (names: readonly string[]): string[] => [...new Set(names)].sort()
