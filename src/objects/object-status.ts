// The status that an object should have, from what is known of it: judgement, readings of the ledger, and what was written before. Pure.
import { ANCESTORS_MAX, SNAPSHOT_EVERY_MS } from '../limits.ts'
import type { Attachment } from './attachment.ts'
import {
  type AcceptedFacts,
  acceptedOf,
  type Bypass,
  bypassesOf,
  conditionOf,
  exhaustedOf,
  type Finding,
  partitionsFullOf,
  programmedOf,
  resolvedOf,
} from './conditions.ts'
import { limitStatusOf, type ReadLimit, summaryOf } from './limit-status.ts'
import { type AncestorStatus, instantText, type LimitStatus, type ObjectStatus, type Summary, sameButFigures } from './status.ts'

export const CONTROLLER_NAME = 'purser.dev/controller'

export type StatusKind = 'BudgetPolicy' | 'ClusterBudgetPolicy' | 'AccessKey' | 'ModelPriceList' | 'BudgetGrant'

export interface ObjectFacts extends AcceptedFacts {
  readonly kind: StatusKind
  /** Selectors that choose nothing, as `field: what`. */
  readonly emptySelectors: readonly string[]
  readonly attachment: Attachment
  readonly bypasses: readonly Bypass[]
  /** The limits in force with their readings; null where one of them was not read yet. */
  readonly limits: readonly ReadLimit[] | null
  readonly isLedgerAway: boolean
}

/**
 * The status that the object should have now. `before` is the one that it has: figures that it shows stay for as long as it is told
 * nothing newer, and conditions keep the time since when they are so.
 */
export function statusOf(facts: ObjectFacts, before: ObjectStatus, nowMs: number): ObjectStatus {
  const { generation, inForce, kind } = facts
  const isPolicy = kind === 'BudgetPolicy' || kind === 'ClusterBudgetPolicy'
  const bypasses = inForce === null || !isPolicy ? [] : bypassesOf(facts.attachment.routes, facts.bypasses)
  const accepted = acceptedOf(facts, nowMs)
  const programmed = programmedOf(generation, inForce, bypasses, facts.isLedgerAway)
  const shown = snapshotOf(facts, before, nowMs)
  const findings: Finding[] = [accepted]
  if (isPolicy) findings.push(resolvedOf(facts.attachment.unresolved, facts.emptySelectors))
  if (kind !== 'BudgetGrant') findings.push(programmed)
  if (shown.limits.length > 0) findings.push(exhaustedOf(shown.limits, isAudit(facts)))
  findings.push(...[partitionsFullOf(shown.limits)].filter(finding => finding !== null))
  const ancestors = facts.attachment.ancestors.slice(0, ANCESTORS_MAX)
  return {
    observedGeneration: generation,
    conditions: findings.map(finding => conditionOf(finding, before.conditions, generation, nowMs)),
    ...(ancestors.length === 0 ? {} : { ancestors: ancestors.map(ref => ancestorOf(ref, [accepted, programmed], facts, before, nowMs)) }),
    ...(shown.limits.length === 0 ? {} : { limits: shown.limits }),
    ...(shown.summary === null ? {} : { summary: shown.summary }),
    ...(shown.time === null ? {} : { snapshotTime: shown.time }),
  }
}

/** Whether `next` is to be written over `before` now: figures alone may wait, the snapshot being written at most every so often. */
export function isDue(before: ObjectStatus, next: ObjectStatus, sinceSnapshotMs: number): boolean {
  return !sameButFigures(before, next) || sinceSnapshotMs >= SNAPSHOT_EVERY_MS
}

interface Snapshot {
  readonly limits: readonly LimitStatus[]
  readonly summary: Summary | null
  readonly time: string | null
}

/** Without a reading, what was shown before stays, as old as its time says; but not of limits that are gone. */
function snapshotOf({ limits, inForce }: ObjectFacts, before: ObjectStatus, nowMs: number): Snapshot {
  if (limits !== null)
    return { limits: limits.map(limitStatusOf), summary: summaryOf(limits), time: limits.length === 0 ? null : instantText(nowMs) }
  const spec = inForce?.object.kind === 'Namespace' ? null : inForce?.object.spec
  const names = new Set((spec !== null && spec !== undefined && 'limits' in spec ? (spec.limits ?? []) : []).map(({ name }) => name))
  const kept = (before.limits ?? []).filter(({ name }) => names.has(name))
  const summary = before.summary !== undefined && names.has(before.summary.limit) ? before.summary : null
  return { limits: kept, summary, time: kept.length === 0 ? null : (before.snapshotTime ?? null) }
}

function ancestorOf(
  ancestorRef: AncestorStatus['ancestorRef'],
  findings: readonly Finding[],
  { generation }: ObjectFacts,
  before: ObjectStatus,
  nowMs: number,
): AncestorStatus {
  const earlier = (before.ancestors ?? []).find(one => sameRef(one.ancestorRef, ancestorRef))
  const conditions = findings.map(finding => conditionOf(finding, earlier?.conditions ?? [], generation, nowMs))
  return { ancestorRef, controllerName: CONTROLLER_NAME, conditions }
}

const sameRef = (a: AncestorStatus['ancestorRef'], b: AncestorStatus['ancestorRef']): boolean =>
  a.group === b.group && a.kind === b.kind && a.namespace === b.namespace && a.name === b.name && a.sectionName === b.sectionName

const isAudit = ({ inForce }: ObjectFacts): boolean =>
  (inForce?.object.kind === 'BudgetPolicy' || inForce?.object.kind === 'ClusterBudgetPolicy') &&
  inForce.object.spec.enforcement?.mode === 'Audit'
