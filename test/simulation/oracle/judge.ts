// The last account: when all is quiet, every call was charged what it did cost, nothing is open, and no budget was spent over.

import { parseBudgetKey, type Unit } from '../../../src/core/budget.ts'
import { HELD_CLOSED_MS, HOLDER_STALE_MS } from '../../../src/limits.ts'
import type { Call } from '../call.ts'
import type { TroubleKind } from '../trouble.ts'
import type { World } from '../world.ts'
import type { Book, BookLine, BookRecord } from './book.ts'

export function judge(world: World): void {
  const { machine, backend, calls } = world
  const { records } = backend.book
  const admitted = new Set<string>()
  for (const call of calls) {
    judgeVerdict(world, call)
    if (call.id === null) continue
    admitted.add(call.id)
    const record = records.get(call.id)
    if (record !== undefined) judgeCharge(world, call, record)
    else if (call.replica?.process.isAlive === true && call.expects !== 'nothing' && !isOutlived(world, call))
      machine.fail(`${call.name} was admitted, and the ledger knows nothing of it`)
  }
  for (const record of records.values()) {
    if (record.state === 'open') machine.fail(`${record.id} of ${holderName(world, record)} is still open`)
    else if (!admitted.has(record.id)) judgeUnadmitted(world, record)
  }
  judgeSwept(world)
  judgeBudgets(world)
  if (world.backend.hasLost) judgeReports(world)
  else judgeLost(world)
  for (const replica of world.replicas) {
    if (replica.pending > 0) machine.fail(`${replica.name} still has ${replica.pending} settlements to send`)
  }
}

/** How long a replica may take to come back to its store. */
const RETURN_MS = 5_000

/** What was settled is kept for a minute to be told again; whoever was kept from a store that lost it for longer has nothing left to tell. */
const isOutlived = ({ backend, plan }: World, { verdictMs }: Call): boolean =>
  backend.hasLost && plan.fairMs - verdictMs > HELD_CLOSED_MS - RETURN_MS

/** With the ledger in reach every call gets a verdict of the ledger. */
function judgeVerdict(world: World, call: Call): void {
  if (call.verdict !== 'ledger-unavailable' && call.verdict !== 'no replica') return
  if (!world.isTroubled(call.askedMs)) world.machine.fail(`${call.name} was refused (${call.verdict}) with nothing wrong`)
}

function judgeCharge(world: World, call: Call, record: BookRecord): void {
  const { machine } = world
  // What a store lost is told again by processes that live, not by those that stopped.
  const isOurs = call.replica?.process.isAlive === true || (call.replica?.isEmpty === true && !world.backend.hasLost)
  const what = `${call.name} ${record.id} of ${holderName(world, record)}, ${record.state}`
  for (const line of record.lines) {
    if (line.untold) continue
    const { window, unit } = lineOf(line)
    const charged = record.state === 'released' || record.state === 'tombstone' ? 0n : line.charged
    if (window === 'inFlight') {
      if (charged !== 0n) machine.fail(`${what}: an inFlight line was charged ${charged}`)
      continue
    }
    const billed = amountOf(unit, call)
    const told = `${what}: ${unit} charged ${charged}, billed ${billed}`
    const expects = isOurs ? call.expects : 'enough'
    switch (expects) {
      case 'nothing':
        if (charged !== 0n) machine.fail(`${told}: it never left`)
        break
      case 'requests':
        if (charged !== (unit === 'Requests' ? 1n : 0n)) machine.fail(`${told}: an error costs nothing`)
        break
      case 'exact':
        if (charged !== billed) machine.fail(`${told}: not the bill`)
        if (record.state !== 'proven') machine.fail(`${told}: not proven`)
        break
      case 'enough':
        if (call.plan.fate !== 'overrun' && charged < atLeast(world, record, unit, billed)) machine.fail(`${told}: too little`)
        break
    }
  }
}

/** A replica that lives, and that nothing kept from the store, is never swept; one absence of the store itself does not excuse it. */
function judgeSwept(world: World): void {
  const { troubles, storeOffMs } = world.plan
  const absences = troubles.filter(({ kind }) => kind === 'store stalls' || kind === 'store down').length
  if (absences > 1 || troubles.some(({ kind }) => kind === 'store clock')) return
  for (const { id, holder, storeMs } of world.backend.book.pulse.swept) {
    const replica = world.everyReplica.find(one => one.holder === holder)
    if (replica === undefined || replica.endedMs < storeMs - storeOffMs + HOLDER_STALE_MS) continue
    const isCutOff = troubles.some(trouble => 'replica' in trouble && trouble.replica === replica.slot && trouble.kind !== 'killed')
    if (!isCutOff) world.machine.fail(`${id} of ${replica.name} was swept, and nothing kept it from the store`)
  }
}

const CLEAN: readonly TroubleKind[] = ['failover', 'store down', 'scripts lost', 'replica parted']

/** Where servers only die and others take over, whoever holds something says so before anything else is admitted. */
const isClean = (world: World): boolean =>
  world.plan.troubles.every(trouble => CLEAN.includes(trouble.kind) && !('isOldAlive' in trouble && trouble.isOldAlive))

/** The providers' own bills, summed up: no budget was spent beyond the most that ever was its limit, but by what is excused. */
function judgeBudgets(world: World): void {
  const { records, accounts } = world.backend.book
  if (world.calls.some(call => call.plan.fate === 'overrun')) return
  const billed = new Map<string, bigint>()
  for (const call of world.calls) {
    const record = call.id === null ? undefined : records.get(call.id)
    for (const line of record?.lines ?? []) {
      if (!line.hard || record === undefined) continue
      const amount = isByObservation(world, record) ? line.charged : amountOf(lineOf(line).unit, call)
      billed.set(line.account, (billed.get(line.account) ?? 0n) + amount)
    }
  }
  for (const [name, sum] of billed) {
    const account = accounts.get(name)
    if (account === undefined || account.window.kind === 'sliding' || account.window.kind === 'inFlight') continue
    if (sum > account.limitMax + account.excused) world.machine.fail(`${name} was billed ${sum}, its limit is ${account.limitMax}`)
  }
}

/** Whether it may have been charged by what was observed of it, and so below its bill. */
const isByObservation = (world: World, record: BookRecord): boolean =>
  (record.state === 'expired' || record.raised) &&
  world.plan.versions.some(({ parts }) => parts.policies.some(one => one.reservation.onExpiry === 'Observed'))

/** What expired may have been charged by what was observed: then only the input is sure. */
function atLeast(world: World, record: BookRecord, unit: Unit, billed: bigint): bigint {
  if (!isByObservation(world, record)) return billed
  return unit === 'InputTokens' || unit === 'Requests' ? billed : 0n
}

/** A reservation that led to no admission costs nothing, unless nobody was left to give it back. */
function judgeUnadmitted(world: World, record: BookRecord): void {
  const charged = record.lines.some(line => line.charged > 0n && line.untold !== true)
  if (record.state === 'released' || record.state === 'tombstone' || (record.state === 'proven' && !charged)) return
  const holder = world.everyReplica.find(one => one.holder === record.holder)
  if (record.state === 'expired' && holder?.process.isAlive !== true) return
  world.machine.fail(`${record.id} of ${holderName(world, record)} was admitted to nobody, and is ${record.state}`)
}

/** What nobody accounts for, because the store lost it and its holder is gone, was said to be so, where the store knew of the holder. */
function judgeReports(world: World): void {
  const { backend, calls, machine } = world
  if (backend.takeovers > 1) return // a second one may come before the first is told of
  const missing = calls.find(
    ({ id, bill }) => id !== null && bill.cost > 0n && backend.lost.get(id) === true && !backend.book.records.has(id),
  )
  // It takes somebody who saw it come and go.
  const isSeen = world.replicas.some(one => one.process.isAlive && missing !== undefined && one.startedMs < missing.askedMs)
  if (missing === undefined || !isSeen) return
  const isSaid = backend.reports.some(told => Number(told['silentHolders']) + Number(told['entriesLost']) > 0)
  if (!isSaid) machine.fail(`${missing.name} is lost for good, and no recovery said that anything may be`)
}

/**
 * A server took the place of another. What it has not, and a process that lives holds, is owed to it: no reserve may be accepted on top of
 * that. Guarded, there is nothing of the kind after a promotion. Processes that admit by themselves wait for neither.
 */
export function judgeTakeover(world: World, old: Book, now: Book): void {
  const { versions, redis, troubles } = world.plan
  if (versions.some(({ parts }) => parts.policies.some(policy => policy.onLedgerUnavailable === 'Allow'))) return
  for (const [id, record] of old.owed) if (!now.records.has(id)) now.owed.set(id, record)
  const restarts = troubles.some(({ kind }) => kind === 'store down')
  for (const call of world.calls) {
    const record = call.id === null ? undefined : old.records.get(call.id)
    if (record === undefined || call.verdict !== 'admitted' || now.records.has(record.id)) continue
    if (redis?.isGuarded === true && !restarts && record.openedBy === 'reserved')
      world.machine.fail(`${call.name} was admitted, and the replica has no word of it`)
    if (isClean(world) && record.state === 'open' && call.replica?.process.isAlive === true) now.owed.set(record.id, record)
  }
}

/** A process that dies may take with it what it admitted while the ledger was away: at most what the limits allow. */
function judgeLost(world: World): void {
  const { records } = world.backend.book
  for (const replica of world.everyReplica) {
    const lost = world.calls.filter(
      call => call.replica === replica && call.id !== null && !records.has(call.id) && call.plan.fate !== 'overrun',
    )
    if (lost.length === 0) continue
    for (const { parts } of world.plan.versions) {
      for (const policy of parts.policies) {
        if (policy.audit) continue
        for (const limit of policy.limits) {
          const allowed = maxAllowed(world, policy.name, limit.name)
          const sum = lost.reduce((total, call) => total + (limit.window.kind === 'inFlight' ? 0n : amountOf(limit.unit, call)), 0n)
          if (sum > allowed) world.machine.fail(`${replica.name} took ${sum} of ${limit.name} with it, allowed are ${allowed}`)
        }
      }
    }
  }
}

function maxAllowed(world: World, policy: string, limit: string): bigint {
  const all = world.plan.versions.flatMap(({ parts }) =>
    parts.policies.filter(one => one.name === policy).flatMap(one => one.limits.filter(({ name }) => name === limit)),
  )
  return all.reduce((most, { allowUpTo }) => (allowUpTo !== null && allowUpTo > most ? allowUpTo : most), 0n)
}

function amountOf(unit: Unit, { bill }: Call): bigint {
  const { inputTokens, outputTokens, cost } = bill
  switch (unit) {
    case 'USD':
      return cost
    case 'Tokens':
      return inputTokens + outputTokens
    case 'InputTokens':
      return inputTokens
    case 'OutputTokens':
      return outputTokens
    case 'Requests':
      return inputTokens + outputTokens > 0n ? 1n : 0n
  }
}

function lineOf({ account }: BookLine): { readonly unit: Unit; readonly window: string } {
  const [key = '', window = ''] = account.split(' ')
  const identity = parseBudgetKey(key)
  if (identity === null) throw new Error(`${key} is no key of a budget`)
  return { unit: identity.unit, window }
}

const holderName = (world: World, record: BookRecord): string =>
  world.everyReplica.find(one => one.holder === record.holder)?.name ?? 'nobody'
