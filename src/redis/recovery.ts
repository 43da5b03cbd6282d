// Recovery: a server that may have lost writes is told again what this process holds, before anybody may reserve on it. Admits nothing.
import { parseBudgetKey } from '../core/budget.ts'
import { RECOVER_POLL_MS, SETTLES_AT_ONCE } from '../limits.ts'
import type { Telemetry, Timer } from '../ports.ts'
import { asRow } from './decode.ts'
import { encodeSettles } from './encode.ts'
import type { Holdings, Lost, Recovery } from './holdings.ts'
import { parseBalanceName } from './keys.ts'
import { reassert } from './progress.ts'
import { read } from './reading.ts'
import type { Runner } from './runner.ts'
import { release } from './two-steps.ts'

/** What came of it: `why` it has to be tried again, or null. */
export type Recovered = { readonly kind: 'recovered'; readonly epoch: string } | { readonly kind: 'again'; readonly why: string }

export interface RecoveryParts {
  /** Runs moves on the server that is being looked at. */
  readonly runner: Runner
  readonly holdings: Holdings
  readonly timer: Timer
  readonly telemetry: Pick<Telemetry, 'fault'>
  /** Brings the fence of an epoch, and the scripts. */
  bring(epoch: string): Promise<string | null>
}

/** Begins recovery, or joins it; tells what is held, and waits until every living holder has, for {@link RECOVER_MS} at most. */
export async function recover(
  { epoch, isOn, runId }: { readonly epoch: string; readonly isOn: boolean; readonly runId: string },
  parts: RecoveryParts,
): Promise<Recovered> {
  const { runner, holdings } = parts
  const began = await row(runner, 'recover', [epoch, isOn ? 'join' : 'begin', runId])
  if (typeof began === 'string') return again(began)
  const [kind, , newEpoch = '', was = '', seq = ''] = began
  if (kind !== 'recovering') return again(kind === 'moved' ? 'the recovery of another was in between' : 'the clocks are too far apart')
  const recovery: Recovery = { epoch: newEpoch, was, began: Number(seq) }
  // The fence comes with the scripts: reserves are refused as long as the recovery is on, whoever calls.
  const failed = await parts.bring(newEpoch)
  if (failed !== null) return again(failed)
  const told = await tell(runner, holdings.lost(recovery))
  if (told === null) return again('the server does not take what is held')
  holdings.toldAgain(newEpoch, told)
  for (;;) {
    const reported = await row(runner, 'report', [holdings.holder ?? '', `${holdings.seq}`])
    if (typeof reported === 'string') return again(reported)
    if (reported[0] === 'over') {
      await sayLost(parts, recovery, reported)
      return { kind: 'recovered', epoch: newEpoch }
    }
    if (reported[0] !== 'waiting') return again('the clocks are too far apart')
    await new Promise<void>(resolve => parts.timer.after(RECOVER_POLL_MS, resolve))
  }
}

/**
 * Tells a server, whose recovery was without us, what is held: it may have come too late for the others to count it. What was lost is said
 * here too, for those who were there may have died before they said it.
 */
export async function tellLate(recovery: Recovery, parts: RecoveryParts): Promise<boolean> {
  const { runner, holdings } = parts
  const told = await tell(runner, holdings.lost(recovery))
  if (told === null) return false
  holdings.toldAgain(recovery.epoch, told)
  const reported = await row(runner, 'report', [holdings.holder ?? '', `${holdings.seq}`])
  if (typeof reported === 'string' || reported[0] !== 'over') return false
  await sayLost(parts, recovery, reported)
  return true
}

/** Answers how many moves the server did not have; null where it is not known. */
async function tell(runner: Runner, { open, closed }: Lost): Promise<number | null> {
  const opened = await reassert(runner, open)
  if (opened.some(({ kind }) => kind === 'unavailable' || kind === 'clock-skew')) return null
  let missing = opened.filter(({ kind }) => kind === 'reasserted').length
  const settles = closed.flatMap(each => (each.kind === 'settle' ? [each.move] : []))
  for (let at = 0; at < settles.length; at += SETTLES_AT_ONCE) {
    const ran = await runner.runBatch('settle', settles.slice(at, at + SETTLES_AT_ONCE), batch => encodeSettles(runner.keys, batch))
    for (const each of ran) {
      if (each.kind !== 'reply' || asRow(each.value)[0] === 'clock-skew') return null
      if (['reasserted', 'arrears', 'settled', 'settled-over', 'settled-late'].includes(asRow(each.value)[0] ?? '')) missing += 1
    }
  }
  for (const each of closed) {
    const released = each.kind === 'release' ? await release(runner, each.move) : null
    if (released?.kind === 'unavailable' || released?.kind === 'clock-skew') return null
  }
  return missing
}

/**
 * Says what was lost, where anything was. Where holders were silent, the most that nobody accounts for: what a balance had in use when it was last seen,
 * above what it has in use now that everybody has told what they hold.
 */
async function sayLost({ runner, holdings, telemetry }: RecoveryParts, recovery: Recovery, over: readonly string[]): Promise<void> {
  const [highest = 0, silent = 0] = over.slice(2).map(Number)
  const told = holdings.toldAgain(recovery.epoch, 0)
  const seenHere = holdings.epoch === recovery.was ? holdings.seq : 0
  const lost = Math.max(highest, seenHere, recovery.began) - recovery.began
  const seen = lost > 0 && silent > 0 ? holdings.seenAfter(recovery.began) : []
  const budgets = seen.map(({ name }) => parseBalanceName(name))
  const figures = seen.length > 0 ? await read(runner, budgets) : null
  let largest = { amount: 0n, budget: '' }
  for (const [index, now] of figures?.kind === 'read' ? figures.value.entries() : []) {
    const amount = (seen[index]?.used ?? 0n) - (now === null ? 0n : now.limit - now.available)
    if (amount > largest.amount) largest = { amount, budget: limitName(budgets[index]?.key ?? '') }
  }
  holdings.told(recovery)
  if (lost + silent + told === 0) return
  telemetry.fault('the ledger was recovered', {
    entriesLost: lost,
    toldAgain: told,
    silentHolders: silent,
    largestUnaccounted: `${largest.amount}`,
    budget: largest.budget,
  })
}

/** A budget without its partition, which may name a person. */
function limitName(key: string): string {
  const identity = parseBudgetKey(key)
  return identity === null ? '' : [identity.namespace, identity.policy, identity.limit, identity.unit].filter(part => part !== '').join('/')
}

async function row(runner: Runner, move: 'recover' | 'report', args: readonly string[]): Promise<readonly string[] | string> {
  const reply = await runner.run(move, { keys: [runner.keys.reports], args })
  return reply.kind === 'reply' ? asRow(reply.value) : reply.why
}

const again = (why: string): Recovered => ({ kind: 'again', why })
