// The conditions of one object: accepted, its references found, programmed, exhausted; each with why. Pure: it is told the time.
import { STATUS_MESSAGE_CHARS_MAX } from '../limits.ts'
import { instantMs } from './instant.ts'
import type { AcceptedObject } from './objects.ts'
import { type Condition, instantText, type LimitStatus } from './status.ts'

/** A condition before it has its generation and the time of its last change. */
export interface Finding {
  readonly type: Condition['type']
  readonly status: Condition['status']
  readonly reason: string
  readonly message: string
}

/** The state of an object that is enforced: of this generation, or of an earlier one. */
export interface InForce {
  readonly generation: number
  readonly object: AcceptedObject
}

/** Calls that do not come to Purser, because another policy of Envoy Gateway stands in the place of the one that sends them. */
export interface Bypass {
  /** namespace/name of the EnvoyExtensionPolicy that has no effect there. */
  readonly displaced: string
  /** namespace/name of the routes; empty where it is not known which. */
  readonly routes: readonly string[]
}

export interface AcceptedFacts {
  readonly generation: number
  /** What is wrong with the object, as `check` says it; empty where nothing is. */
  readonly problems: readonly string[]
  /** What is right and still doubtful. */
  readonly doubts: readonly string[]
  /** Hashes of an AccessKey that others hold. */
  readonly contests: readonly string[]
  readonly inForce: InForce | null
}

export function acceptedOf({ generation, problems, doubts, contests, inForce }: AcceptedFacts, nowMs: number): Finding {
  const no = (reason: string, message: string): Finding => ({ type: 'Accepted', status: 'False', reason, message: short(message) })
  if (problems.length > 0) return no('Invalid', `${few(problems)}; ${whatStays(inForce, generation)}`)
  if (contests.length > 0) return no('Conflicted', few(contests))
  const key = inForce?.object.kind === 'AccessKey' ? inForce.object.spec : null
  if (key?.disabled === true) return no('Disabled', 'spec.disabled: calls with this key are refused')
  if (key?.expiresAt !== undefined && instantMs(key.expiresAt) <= nowMs)
    return no('Expired', `spec.expiresAt: calls with this key are refused since ${key.expiresAt}`)
  return { type: 'Accepted', status: 'True', reason: 'Accepted', message: short(few(doubts)) }
}

const whatStays = (inForce: InForce | null, generation: number): string =>
  inForce === null || inForce.generation === generation
    ? 'nothing of it is in force'
    : `generation ${inForce.generation}, the last that was accepted, stays in force`

/** Targets and selectors that lead nowhere, each as `field: what`. */
export function resolvedOf(targets: readonly string[], selectors: readonly string[]): Finding {
  if (targets.length + selectors.length === 0) return { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: '' }
  const reason = targets.length > 0 ? 'TargetNotFound' : 'NothingSelected'
  return { type: 'ResolvedRefs', status: 'False', reason, message: short(few([...targets, ...selectors])) }
}

/** Whether what is enforced is what is written. `isLedgerAway`: no call can be counted, and a policy decides what becomes of it. */
export function programmedOf(generation: number, inForce: InForce | null, bypasses: readonly Bypass[], isLedgerAway: boolean): Finding {
  const is = (status: Finding['status'], reason: string, message: string): Finding => ({
    ...{ type: 'Programmed', status, reason },
    message: short(message),
  })
  if (inForce === null) return is('False', 'Invalid', 'nothing of it is in force')
  if (inForce.generation !== generation) return is('False', 'LastGoodState', `generation ${inForce.generation} is in force`)
  if (bypasses.length > 0) return is('False', 'PartiallyProgrammed', few(bypasses.map(bypassText)))
  if (isLedgerAway) return is('Unknown', 'LedgerUnavailable', 'the ledger does not answer: spec.enforcement.onLedgerUnavailable decides')
  return is('True', 'Programmed', '')
}

export const bypassText = ({ displaced, routes }: Bypass): string =>
  `calls of ${routes.length === 0 ? 'some routes' : `HTTPRoute ${routes.join(', ')}`} do not come to Purser: another ` +
  `EnvoyExtensionPolicy stands in the place of ${displaced}; give it spec.mergeType, or an extProc entry for Purser`

/** The bypasses that take calls away from a policy that binds these routes. */
export const bypassesOf = (bound: readonly string[], all: readonly Bypass[]): readonly Bypass[] =>
  all.flatMap(bypass => {
    const routes = bypass.routes.filter(route => bound.includes(route))
    const isConcerned = bypass.routes.length === 0 ? bound.length > 0 : routes.length > 0
    return isConcerned ? [{ ...bypass, routes }] : []
  })

/** Figures are no part of the message: it is to change when the condition does. */
export function exhaustedOf(limits: readonly LimitStatus[], isAudit: boolean): Finding {
  const exhausted = limits.filter(({ state }) => state === 'Exhausted')
  const is = (status: Finding['status'], reason: string, texts: readonly string[]): Finding => ({
    ...{ type: 'Exhausted', status, reason },
    message: short(few(texts)),
  })
  if (exhausted.length > 0) {
    const audited = isAudit ? ['no call is refused, for enforcement.mode is Audit'] : []
    return is('True', 'BudgetExhausted', [...exhausted.map(usedUp), ...audited])
  }
  const parts = limits.filter(({ exhaustedPartitions }) => (exhaustedPartitions ?? 0) > 0)
  if (parts.length > 0) return is('False', 'PartitionsExhausted', parts.map(usedUpInParts))
  return is('False', 'WithinBudget', [])
}

const usedUp = ({ name, resetTime }: LimitStatus): string =>
  `limit ${name} is used up${resetTime === undefined ? '' : ` until ${resetTime}`}`
const usedUpInParts = ({ name }: LimitStatus): string => `some partitions of limit ${name} are used up`

/** Null while every value has a partition of its own. */
export function partitionsFullOf(limits: readonly LimitStatus[]): Finding | null {
  const full = limits.filter(({ sharesPartition }) => sharesPartition === true).map(({ name }) => name)
  if (full.length === 0) return null
  const message = `${full.map(name => `limit ${name}`).join(', ')}: more values than maxPartitions; the rest share one partition, (other)`
  return { type: 'PartitionsFull', status: 'True', reason: 'MaxPartitionsReached', message: short(message) }
}

/** Gives a finding its generation, and the time since when it is so: that of `before` where its status is the same. */
export function conditionOf(finding: Finding, before: readonly Condition[], generation: number, nowMs: number): Condition {
  const earlier = before.find(({ type }) => type === finding.type)
  const lastTransitionTime = earlier?.status === finding.status ? earlier.lastTransitionTime : instantText(nowMs)
  return { ...finding, observedGeneration: generation, lastTransitionTime }
}

const FEW = 8

const few = (texts: readonly string[]): string =>
  [...texts.slice(0, FEW), ...(texts.length > FEW ? [`and ${texts.length - FEW} more`] : [])].join('; ')

const short = (text: string): string => (text.length <= STATUS_MESSAGE_CHARS_MAX ? text : `${text.slice(0, STATUS_MESSAGE_CHARS_MAX - 1)}…`)
