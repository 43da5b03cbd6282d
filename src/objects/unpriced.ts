// Models that a policy names in full and that have no price: calls of them are refused wherever dollars are counted. Guesses no model.
import type { BudgetSpec } from './objects.ts'

/** The models that `spec` permits by their whole names, counts in US dollars, and that `hasPrice` knows nothing of; each once. */
export function unpricedModels(spec: BudgetSpec, hasPrice: (model: string) => boolean): readonly string[] {
  const countsUsd = (spec.limits ?? []).some(({ unit }) => unit === 'USD')
  if (!countsUsd || spec.reservation?.onUnknownModel === 'DearestOfProvider') return []
  const named = [...(spec.permissions?.models?.allow ?? []), ...(spec.match?.models ?? [])].filter(glob => !glob.includes('*'))
  return [...new Set(named)].filter(model => !hasPrice(model))
}
