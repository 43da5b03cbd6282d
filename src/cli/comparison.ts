// What a second policy set would have changed over the same exchanges: who would newly be refused, who no longer, and the money between.
import { formatUsd, nanoUsd, parseDecimalUp } from '../core/money.ts'
import type { Recorded } from './recorded.ts'
import type { Simulated } from './simulated.ts'

/** Of one subject: how many calls changed their outcome, why, and what the second set would have spent less (negative: more), in nano-USD. */
interface Change {
  newlyRefused: number
  noLongerRefused: number
  savedNano: bigint
  readonly reasons: Map<string, number>
}

const SHOWN = 20

export class Comparison {
  readonly #changes = new Map<string, Change>()

  add({ subject }: Recorded, first: Simulated, second: Simulated): void {
    const savedNano = nanoOf(first.chargedUsd) - nanoOf(second.chargedUsd)
    const isRefused = { before: first.outcome === 'refused', after: second.outcome === 'refused' }
    if (savedNano === 0n && isRefused.before === isRefused.after) return
    const who = whoOf(subject)
    const change = this.#changes.get(who) ?? { newlyRefused: 0, noLongerRefused: 0, savedNano: 0n, reasons: new Map<string, number>() }
    this.#changes.set(who, change)
    change.savedNano += savedNano
    if (isRefused.before && !isRefused.after) change.noLongerRefused++
    if (isRefused.before || !isRefused.after) return
    change.newlyRefused++
    const reason = second.reason ?? 'refused'
    change.reasons.set(reason, (change.reasons.get(reason) ?? 0) + 1)
  }

  /** Lines for a person: the sums, then whom it concerns, those with most refusals first. */
  lines(): string[] {
    const all = [...this.#changes].sort(([, a], [, b]) => b.newlyRefused - a.newlyRefused || Number(b.savedNano - a.savedNano))
    const sum = (of: (change: Change) => number): number => all.reduce((total, [, change]) => total + of(change), 0)
    const saved = all.reduce((total, [, { savedNano }]) => total + savedNano, 0n)
    const counts = `${sum(({ newlyRefused }) => newlyRefused)} calls newly refused, ${sum(({ noLongerRefused }) => noLongerRefused)} no longer`
    const rest = all.length > SHOWN ? [`  and ${all.length - SHOWN} more`] : []
    return [`against: ${counts}, ${money(saved)}`, ...all.slice(0, SHOWN).map(changeLine), ...rest]
  }
}

const changeLine = ([who, { newlyRefused, noLongerRefused, savedNano, reasons }]: readonly [string, Change]): string => {
  const why = [...reasons].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${reason} ${count}`)
  const refused = newlyRefused > 0 ? [`${newlyRefused} newly refused (${why.join(', ')})`] : []
  const passed = noLongerRefused > 0 ? [`${noLongerRefused} no longer refused`] : []
  return `  ${who}: ${[...refused, ...passed, money(savedNano)].join(', ')}`
}

const money = (savedNano: bigint): string =>
  savedNano < 0n ? `$${formatUsd(-savedNano)} spent more` : `$${formatUsd(savedNano)} not spent`

const nanoOf = (usd: string): bigint => nanoUsd(parseDecimalUp(usd, 9) ?? 0n)

/** A key is never shown, not even a part of it. */
function whoOf(subject: Recorded['subject']): string {
  const named = [...(subject?.attributes ?? [])].sort().map(([name, value]) => `${name}=${JSON.stringify(value).slice(1, -1)}`)
  if (named.length > 0) return named.join(' ')
  return subject?.key == null ? 'nobody named' : 'a key without a name'
}
