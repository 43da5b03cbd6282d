// Every rule of the doctor with a case that it must find, and nothing else found there; what is sound stays sound.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { examine } from '../../src/doctor/doctor.ts'
import { CASES, hurt, SOUND } from './cases.ts'
import { Patient, shippedText } from './patient.ts'

const RULES = join(import.meta.dirname, '../../src/doctor')

describe('each rule', () => {
  it.each(CASES.map(([rule, grade, what, ...hurts]) => ({ rule, grade, what, hurts })))(
    'finds $rule ($grade): $what',
    ({ rule, grade, hurts }) => {
      const { findings, sound, text } = hurt(...hurts).examine()
      // Where no filter judges, it is off on every route: that follows.
      const found = new Set(findings.map(finding => finding.rule).filter(one => rule !== 'only-observes' || one !== 'passes-by'))
      expect([...found], text).toEqual([rule])
      expect(findings.find(finding => finding.rule === rule)?.grade).toBe(grade)
      expect(sound).toBe(grade === 'note')
      for (const { what, why, fix } of findings) for (const words of [what, why, fix]) expect(words.length).toBeGreaterThan(10)
    },
  )

  it('is tried here', () => {
    const sources = globSync('*.ts', { cwd: RULES }).map(file => readFileSync(join(RULES, file), 'utf8'))
    const named = sources.flatMap(source => [...source.matchAll(/(?:rule: |twice\(|cuts\()'([a-z0-9-]+)'/g)].map(([, rule]) => rule ?? ''))
    expect(named.length).toBeGreaterThan(30)
    expect([...new Set(named)].filter(rule => !CASES.some(([tried]) => tried === rule))).toEqual([])
  })
})

describe('what is sound', () => {
  it.each(SOUND.map(([what, ...changes]) => ({ what, changes })))('$what passes', ({ changes }) => {
    expect(hurt(...changes).examine().findings).toEqual([])
  })

  it("passes with the providers' keys in it", () => {
    expect(examine(parse(shippedText().replaceAll('#key ', '')))?.findings).toEqual([])
  })

  it('is read in both spellings that protobuf allows', () => {
    const patient = new Patient()
    patient.processor.failure_mode_allow = true
    const camel = JSON.parse(JSON.stringify(patient.config), (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(
            Object.entries(value).map(([name, member]) => [/^[a-z]+(_[a-z0-9]+)+$/.test(name) ? spelled(name) : name, member]),
          )
        : value,
    )
    expect(examine({ static_resources: camel.staticResources })?.findings).toEqual(patient.examine().findings)
  })
})

const spelled = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

describe('what is told', () => {
  it('names the same thing at many places once, and what is wrong first', () => {
    const patient = new Patient()
    const route = structuredClone(patient.route)
    delete route.route.timeout
    patient.host.routes = Array.from({ length: 9 }, (_, index) => ({ ...structuredClone(route), name: `route-${index}` }))
    delete patient.processor.status_on_error
    const { text } = patient.examine()
    expect(text).toBe(`wrong  route route-0, route route-1, route route-2 and 6 more
       timeout is not set, which means 15 s
       Why: longer answers are cut, and the provider is paid for them
       Fix: timeout: 0s

note   listener llm, filter envoy.filters.http.ext_proc
       status_on_error is not set
       Why: clients get 500 while Purser is away, and take it for a bug; 503 says what it is
       Fix: status_on_error: { code: ServiceUnavailable }

9 things wrong, 1 note (1 listener, 9 routes; one filter judges and meters)
`)
  })

  it.each([null, 7, 'text', [], {}, { listeners: [] }, { configs: [] }])('is nothing of %j', document => {
    expect(examine(document)).toBeNull()
  })

  it.each([{ static_resources: {} }, { static_resources: { listeners: [7, null, { filter_chains: 'x' }] } }, { configs: [null, 3] }])(
    'is that nobody asks, of %j',
    document => {
      expect(examine(document)?.findings.map(({ rule }) => rule)).toEqual(['nobody-asks'])
    },
  )
})
