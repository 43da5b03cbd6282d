// What is known of one object, gathered for its status: from its judgement, the readings, and what stands in the way of its calls.
import type { BudgetKey } from '../core/budget.ts'
import type { LimitReading } from '../core/limit-reading.ts'
import { type Attachment, attachmentOf, NOT_ATTACHED } from '../objects/attachment.ts'
import type { Bypass } from '../objects/conditions.ts'
import type { ReadLimit } from '../objects/limit-status.ts'
import type { ObjectFacts } from '../objects/object-status.ts'
import type { AcceptedObject, BudgetSpec, LimitField } from '../objects/objects.ts'
import { unpricedModels } from '../objects/unpriced.ts'
import { emptySelectors, type Selected } from '../objects/warnings.ts'
import { type Controlled, limitsOf } from './controlled-objects.ts'
import type { ObjectsInForce } from './objects-in-force.ts'
import { keyOf } from './raw-object.ts'

export interface Surroundings {
  readonly objects: ObjectsInForce
  readonly selected: Selected
  readonly bypasses: readonly Bypass[]
  readonly isLedgerAway: boolean
  readingOf(key: BudgetKey): LimitReading | null
  hasPrice(model: string): boolean
}

export interface Known {
  readonly facts: ObjectFacts
  /** Models that the object names and that have no price. */
  readonly unpriced: readonly string[]
}

export function knownOf(one: Controlled, around: Surroundings): Known {
  const object = one.inForce?.object ?? null
  const budget = object?.kind === 'BudgetPolicy' || object?.kind === 'ClusterBudgetPolicy' ? object.spec : null
  const unpriced = budget === null ? [] : unpricedModels(budget, around.hasPrice)
  const facts: ObjectFacts = {
    kind: one.kind,
    generation: one.raw.metadata.generation ?? 0,
    problems: one.problems,
    doubts: budget === null ? [] : [...doubtsOf(budget), ...unpriced.map(unpricedText)],
    contests: one.kind === 'AccessKey' ? around.objects.contestsOf(keyOf(one.raw)) : [],
    inForce: one.inForce,
    emptySelectors: budget === null ? [] : [...emptySelectors(budget, around.selected)],
    attachment: attachmentOfPolicy(one, around.objects),
    bypasses: around.bypasses,
    limits: readLimits(one, object, around),
    isLedgerAway: around.isLedgerAway,
  }
  return { facts, unpriced }
}

function attachmentOfPolicy({ kind, raw: { metadata } }: Controlled, { index }: ObjectsInForce): Attachment {
  if (kind !== 'BudgetPolicy' && kind !== 'ClusterBudgetPolicy') return NOT_ATTACHED
  const facts = index.targetFacts({ scope: kind, namespace: metadata.namespace ?? '', name: metadata.name })
  return facts === null ? NOT_ATTACHED : attachmentOf(facts)
}

function doubtsOf({ limits, permissions, reservation }: BudgetSpec): readonly string[] {
  if (limits !== undefined || permissions !== undefined || reservation !== undefined) return []
  return ['spec: declares neither limits nor permissions nor reservation, so that it only makes its calls known']
}

export const unpricedText = (model: string): string =>
  `the model ${model} has no price, so that calls of it are refused by limits in USD; a ModelPriceList can give it one`

/** Null where a limit was not read yet as it is now: then nothing is said of any. */
function readLimits(one: Controlled, object: AcceptedObject | null, around: Surroundings): readonly ReadLimit[] | null {
  const fields: readonly LimitField[] = object !== null && 'spec' in object && 'limits' in object.spec ? (object.spec.limits ?? []) : []
  const read: ReadLimit[] = []
  for (const declared of limitsOf(one, around.objects)) {
    const reading = around.readingOf(declared.key)
    if (reading === null || reading.amount !== declared.limit.amount) return null
    read.push({ declared, reading, warnAtPercent: fields.find(({ name }) => name === declared.limit.name)?.warnAtPercent ?? [] })
  }
  return read
}
