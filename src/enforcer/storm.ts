// Retry storms: refusals that a client brings about again and again are repeated from memory, so that its loop does not become the ledger's.
// Only ever refuses what was refused a moment ago, and forgets the oldest beyond its bound.
import { createHash } from 'node:crypto'
import { assert } from '../core/assert.ts'
import type { Shortfall } from '../core/refusal.ts'
import type { Line } from '../core/reservation.ts'
import type { Verdict } from '../core/verdict.ts'
import { repeatedVerdict } from '../core/waste.ts'
import { windowText } from '../core/window.ts'
import { STORM_ASK_MS, STORM_GAP_MS, STORM_STALE_MS, STORMS_MAX } from '../limits.ts'
import type { Clock, Random } from '../ports.ts'

/** What one subject asks of the budgets that bind it. */
export interface StormCall {
  readonly caller: string
  /** The lines of each of its ways, in order. */
  readonly alternatives: readonly (readonly Line[])[]
  /** Refusals in a row after which they are repeated. */
  readonly after: number
}

export interface Storms {
  /** The refusal to repeat, or null where the ledger is to be asked; then `asked` is told what it said. */
  repeated(call: StormCall): Verdict | null
  /** `refusal`: null where the call was not refused by its budgets. */
  asked(call: StormCall, refusal: { readonly verdict: Verdict; readonly misfits: readonly Shortfall[] } | null): void
}

/** A way that was refused: who asks for at least as much of the same is refused as well. */
interface RefusedWay {
  readonly budgets: string
  /** One a line; 0 where the line was not in the way. */
  readonly needs: readonly bigint[]
}

interface Storm {
  readonly ways: readonly RefusedWay[]
  readonly verdict: Verdict
  /** Monotonic ms at which the ledger said so. */
  readonly atMs: number
  /** In a row. */
  readonly refusals: number
  readonly step: number
  readonly steppedMs: number
  /** Whether the ledger is being asked anew. */
  asking: boolean
}

export function createStorms({ clock, random }: { readonly clock: Clock; readonly random: Random }): Storms {
  const storms = new Map<string, Storm>()
  const live = (key: string, nowMs: number): Storm | null => {
    const storm = storms.get(key)
    return storm === undefined || nowMs - storm.atMs > STORM_GAP_MS ? null : storm
  }
  return {
    repeated: ({ caller, alternatives, after }) => {
      const nowMs = clock.monotonicMs()
      const storm = live(keyOf(caller, alternatives), nowMs)
      if (storm === null || storm.refusals < after) return null
      const ageMs = nowMs - storm.atMs
      const fresh = ageMs < STORM_ASK_MS || (storm.asking && ageMs < STORM_STALE_MS)
      if (fresh && alternatives.every(lines => storm.ways.some(way => isRefused(lines, way))))
        return repeatedVerdict(storm.verdict, storm.step, random.fraction())
      if (!fresh) storm.asking = true
      return null
    },
    asked: ({ caller, alternatives, after }, refusal) => {
      const nowMs = clock.monotonicMs()
      const key = keyOf(caller, alternatives)
      const before = live(key, nowMs)
      storms.delete(key)
      if (refusal === null) return
      const isStorm = before !== null && before.refusals >= after
      const steps = isStorm && nowMs - before.steppedMs >= STORM_ASK_MS
      storms.set(key, {
        ways: alternatives.map((lines, index) => refusedWay(lines, index === 0 ? refusal.misfits : null)),
        verdict: refusal.verdict,
        atMs: nowMs,
        refusals: (before?.refusals ?? 0) + 1,
        step: (isStorm ? before.step : 0) + (steps ? 1 : 0),
        steppedMs: isStorm && !steps ? before.steppedMs : nowMs,
        asking: false,
      })
      const [oldest] = storms.keys()
      if (storms.size > STORMS_MAX && oldest !== undefined) storms.delete(oldest)
    },
  }
}

const keyOf = (caller: string, [asked = []]: readonly (readonly Line[])[]): string => `${budgetsOf(asked)} ${caller}`

/** Budgets in their windows, with their limits as they are now: one that is raised is another. */
function budgetsOf(lines: readonly Line[]): string {
  const hash = createHash('sha256')
  for (const { key, window, limit, version, hard } of lines) {
    hash.update(`${key} ${windowText(window)} ${limit} ${version.createdMs} ${version.generation} ${version.grantMs} ${hard}\n`)
  }
  return hash.digest('base64')
}

/** The ledger names the lines that refused of the first way alone: of the others, any of the hard ones may have. */
function refusedWay(lines: readonly Line[], misfits: readonly Shortfall[] | null): RefusedWay {
  // By their keys alone: a window may have ended meanwhile.
  const inTheWay = (line: Line): boolean => (misfits === null ? line.hard : misfits.some(misfit => misfit.line.key === line.key))
  const needs = lines.map(line => (inTheWay(line) ? line.amount : 0n))
  assert(misfits === null || needs.some(need => need > 0n), 'what was refused had a need')
  return { budgets: budgetsOf(lines), needs }
}

const isRefused = (lines: readonly Line[], { budgets, needs }: RefusedWay): boolean =>
  lines.length === needs.length && lines.every((line, index) => line.amount >= (needs[index] ?? 0n)) && budgetsOf(lines) === budgets
