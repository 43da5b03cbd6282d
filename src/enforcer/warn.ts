// Warnings of budgets that reach a percentage: looked for in what the ledger says anyway, and a moment after a charge. Each is raised once
// among all replicas; no call waits for it.
import type { BoundLimit } from '../core/policy.ts'
import type { Balance, Line } from '../core/reservation.ts'
import { reachedPercent, warningMark } from '../core/warning.ts'
import type { Window } from '../core/window.ts'
import { windowText } from '../core/window.ts'
import { DEADLINE_MS, NOT_AFTER_MS, WARN_LOOK_MAX, WARN_LOOK_MS, WARNINGS_REMEMBERED_MAX } from '../limits.ts'
import type { Enforcer } from './enforcer.ts'
import type { HeaderChange } from './exchange.ts'
import type { Plan } from './plan.ts'
import { budgetText } from './refuse.ts'

export interface Warner {
  /** Takes note of a call's balances, one a line. Answers what its client is told: budgets whose policies expose what is left. */
  saw(limits: readonly BoundLimit[], lines: readonly Line[], balances: readonly Balance[]): string | null
  /** What these lines stand for was charged: their balances are looked at when that has arrived. */
  charged(limits: readonly BoundLimit[], lines: readonly Line[]): void
}

type Parts = Pick<Enforcer, 'ledger' | 'time' | 'holder' | 'mintId' | 'timer' | 'telemetry' | 'settler'>

/** Takes note of what was admitted; `told` with a warning where its budgets have reached one. */
export function marked(
  { warner, time }: Pick<Enforcer, 'warner' | 'time'>,
  { binding }: Plan,
  lines: readonly Line[],
  balances: readonly Balance[],
  told: HeaderChange,
): HeaderChange {
  for (const { share } of binding.limits) share?.book.admitted(share, time.now())
  const warning = warner.saw(binding.limits, lines, balances)
  return warning === null ? told : { set: [...told.set, ['x-purser-warning', warning]], remove: told.remove }
}

export function createWarner(parts: Parts): Warner {
  const { ledger, time, timer } = parts
  /** Marks that are set, with the store time until which they are. */
  const known = new Map<string, number>()
  const looking = new Map<string, { readonly bound: BoundLimit; readonly window: Window }>()
  let isLooking = false

  const found = (bound: BoundLimit, window: Window, balance: Balance): number | null => {
    const percent = reachedPercent(bound, window, balance)
    if (percent === null) return null
    const mark = warningMark(bound.key, window, percent)
    const name = `${mark.key} ${windowText(mark.window)}`
    const nowMs = time.now()
    if ((known.get(name) ?? 0) > nowMs) return percent
    // Forgetting all of them costs a question each.
    if (known.size >= WARNINGS_REMEMBERED_MAX) known.clear()
    known.set(name, mark.window.kind === 'sliding' ? nowMs + mark.window.lengthMs : Number.POSITIVE_INFINITY)
    void raise(parts, mark, { bound, window, percent, balance }).then(isSet => {
      if (!isSet) known.delete(name)
    })
    return percent
  }

  const look = async (): Promise<void> => {
    isLooking = false
    const asked = [...looking.values()].slice(0, WARN_LOOK_MAX)
    looking.clear()
    const read = await ledger.read(asked.map(({ bound, window }) => ({ key: bound.key, window })))
    if (read.kind !== 'read') return
    for (const [index, { bound, window }] of asked.entries()) {
      const balance = read.value[index]
      if (balance != null) found(bound, window, balance)
    }
  }

  return {
    saw: (limits, lines, balances) => {
      const told = limits.flatMap((bound, index) => {
        const [line, balance] = [lines[index], balances[index]]
        if (bound.limit.warnAtPercent.length === 0 || line === undefined || balance === undefined) return []
        const percent = found(bound, line.window, balance)
        return percent === null || !bound.response.exposeBalance
          ? []
          : [`${budgetText({ policy: bound.policy, limit: bound.limit.name })} ${percent}%`]
      })
      return told.length === 0 ? null : told.join(', ')
    },
    charged: (limits, lines) => {
      for (const [index, bound] of limits.entries()) {
        const line = lines[index]
        if (bound.limit.warnAtPercent.length === 0 || line === undefined || line.window.kind === 'inFlight') continue
        looking.set(`${bound.key} ${windowText(line.window)}`, { bound, window: line.window })
      }
      if (looking.size === 0 || isLooking) return
      isLooking = true
      timer.after(WARN_LOOK_MS, () => void look())
    },
  }
}

/** Sets the mark, and raises the warning if nobody had set it. False where that is not known. */
async function raise(
  { ledger, time, holder, mintId, settler, telemetry }: Parts,
  mark: Line,
  warning: { readonly bound: BoundLimit; readonly window: Window; readonly percent: number; readonly balance: Balance },
): Promise<boolean> {
  const nowMs = time.now()
  const id = mintId(nowMs)
  const outcome = await ledger.reserve({
    id,
    holder,
    alternatives: [[mark]],
    deadlineMs: nowMs + DEADLINE_MS,
    notAfterMs: nowMs + NOT_AFTER_MS,
    priceBook: '',
  })
  time.saw(outcome)
  if (outcome.kind === 'refused') return true
  if (outcome.kind !== 'reserved') return false
  // At most once comes before at least once: the mark stays, whatever becomes of this process.
  settler.settle({ id, holder, lines: [mark], amounts: [1n], proven: true, how: 'warning' })
  telemetry.warned({ id, ...warning })
  return true
}
