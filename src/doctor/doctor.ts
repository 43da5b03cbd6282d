// Examines the configuration of a proxy: is every call judged, metered, and left whole? Pure: it reads no file and asks nobody.
import { bypassFindings, chainFindings } from './chain-rules.ts'
import { clusterFindings } from './cluster-rules.ts'
import { filterFindings } from './filter-rules.ts'
import { type Finding, findingsText } from './finding.ts'
import { type GuardedChain, guardedChains } from './guard.ts'
import { overrideFindings } from './mode-rules.ts'
import { routeFindings } from './route-rules.ts'
import { readSetup } from './setup.ts'

export interface Examination {
  readonly findings: readonly Finding[]
  /** For people: the findings, and one line that sums up. */
  readonly text: string
  readonly sound: boolean
}

/** Of a bootstrap, the answer of `/config_dump`, or what `egctl x translate` writes, parsed. Null where it is none of these. */
export function examine(document: unknown): Examination | null {
  const setup = readSetup(document)
  if (setup === null) return null
  const guarded = guardedChains(setup)
  const findings =
    guarded.length === 0
      ? [nobody()]
      : [
          ...guarded.flatMap(one => [
            ...filterFindings(one, setup),
            ...overrideFindings(one),
            ...chainFindings(one),
            ...routeFindings(one),
          ]),
          ...bypassFindings(setup, guarded),
          ...clusterFindings(setup, guarded),
        ]
  const sound = !findings.some(({ grade }) => grade === 'wrong')
  return { findings, sound, text: findingsText(findings) + summary(guarded, findings) }
}

const nobody = (): Finding => ({
  rule: 'nobody-asks',
  grade: 'wrong',
  where: 'the whole configuration',
  what: 'no filter calls Purser',
  why: 'nothing is judged or metered',
  fix: 'docs/envoy.md; a filter is known by the word purser in its name, its cluster or its metadata namespaces',
})

const WIRINGS = { whole: 'one filter judges and meters', reserve: 'one filter judges, another settles', ask: 'ext_authz judges' } as const

function summary(guarded: readonly GuardedChain[], findings: readonly Finding[]): string {
  const roles = new Set(guarded.flatMap(({ guards }) => guards.map(({ role }) => role)))
  const wirings = (['whole', 'reserve', 'ask'] as const).filter(role => roles.has(role)).map(role => WIRINGS[role])
  const routes = guarded.flatMap(({ chain }) => chain.routes).length
  const seen =
    guarded.length === 0
      ? ''
      : ` (${counted(guarded.length, 'listener')}, ${counted(routes, 'route')}; ${wirings.join(', ') || 'nothing judges'})`
  const wrong = findings.filter(({ grade }) => grade === 'wrong').length
  const words = wrong === 0 ? 'nothing is wrong' : `${counted(wrong, 'thing')} wrong`
  const notes = findings.length - wrong
  return `${words}${notes === 0 ? '' : `, ${counted(notes, 'note')}`}${seen}\n`
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
