// Limits that start a new balance although they kept their name. Only tells: what has happened to a limit is never a reason to refuse it.
import type { BudgetKey } from '../core/budget.ts'
import type { DeclaredLimit } from '../core/policy.ts'
import { windowSpecText } from '../core/window.ts'

/** Limits that kept their name and changed their unit or window: they start a new balance. */
export function restartedLimits(before: readonly DeclaredLimit[], after: readonly DeclaredLimit[]): readonly string[] {
  const keys = new Map<string, BudgetKey>(before.map(limit => [nameOf(limit), limit.key]))
  return after
    .filter(limit => (keys.get(nameOf(limit)) ?? limit.key) !== limit.key)
    .map(limit => `${nameOf(limit)}: counts ${limit.limit.unit} in ${windowSpecText(limit.limit.window)} now and starts a new balance`)
}

const nameOf = ({ policy, limit }: DeclaredLimit): string =>
  `${policy.scope} ${policy.namespace === '' ? '' : `${policy.namespace}/`}${policy.name}: limit ${limit.name}`
