// The alerts of deploy/prometheus/rules.yaml, by Prometheus's own promtool: each is silent while all is well, and fires in what it is for.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { ROOT } from './chart.ts'

const RULES = join(ROOT, 'deploy/prometheus/rules.yaml')
const BUDGET = 'namespace="team",policy="p",limit="month",unit="USD"'

/** Ten minutes of a value, then 110 of another; a counter that stands, then counts. */
const then = (well: string, ill: string): string => `${well}x10 ${ill}x110`
const counts = then('0', '1+60')

/** What is scraped of two replicas, ill after ten minutes; and the labels of the alert beside its severity. */
const CASES: Readonly<Record<string, { readonly series: Readonly<Record<string, string>>; readonly labels?: string }>> = {
  PurserDown: { series: { 'purser_open_exchanges{pod="a"}': then('3', '_') } },
  PurserLedgerUnavailable: { series: { 'purser_decisions_total{pod="a",decision="refused",reason="ledger-unavailable"}': counts } },
  PurserLedgerErrors: { series: { 'purser_ledger_errors_total{pod="a",kind="timeout"}': counts }, labels: 'kind="timeout"' },
  PurserLedgerMemory: {
    series: { 'purser_ledger_memory_ratio{pod="a"}': then('0.5', '0.9'), 'purser_ledger_memory_ratio{pod="b"}': then('0', '0') },
  },
  PurserOverload: { series: { 'purser_decisions_total{pod="a",decision="refused",reason="overload"}': counts } },
  PurserWiring: { series: { 'purser_decisions_total{pod="a",decision="refused",reason="wiring"}': counts } },
  PurserSlowDecisions: {
    series: {
      'purser_decision_duration_seconds_bucket{pod="a",decision="admitted",le="0.25"}': then('0', '0'),
      'purser_decision_duration_seconds_bucket{pod="a",decision="admitted",le="0.5"}': counts,
      'purser_decision_duration_seconds_bucket{pod="a",decision="admitted",le="+Inf"}': counts,
    },
  },
  PurserBudgetAlmostUsed: {
    series: {
      [`purser_budget_limit{pod="a",${BUDGET}}`]: then('100', '100'),
      [`purser_budget_limit{pod="b",${BUDGET}}`]: then('100', '100'),
      [`purser_budget_spent{pod="a",${BUDGET}}`]: then('50', '95'),
      [`purser_budget_spent{pod="b",${BUDGET}}`]: then('50', '94'),
    },
    labels: BUDGET,
  },
  PurserSuspense: {
    series: {
      [`purser_budget_limit{pod="a",${BUDGET}}`]: then('100', '100'),
      [`purser_budget_suspense{pod="a",${BUDGET}}`]: then('5', '20'),
      'purser_budget_limit{pod="a",namespace="team",policy="p",limit="none",unit="USD"}': then('0', '0'),
      'purser_budget_suspense{pod="a",namespace="team",policy="p",limit="none",unit="USD"}': then('0', '0'),
    },
    labels: BUDGET,
  },
  PurserEstimateViolated: { series: { 'purser_estimate_violations_total{pod="a",model="gpt-5"}': counts }, labels: 'model="gpt-5"' },
  PurserModelWithoutPrice: { series: { 'purser_decisions_total{pod="a",decision="refused",reason="no-price"}': counts } },
}

interface Rule {
  readonly alert: string
  readonly labels: { readonly severity: string }
}
const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(group => group.rules)
let folder: string
let promtool: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-alerts-'))
  promtool = execFileSync(join(ROOT, 'scripts/debian-tools'), ['promtool'], { encoding: 'utf8' }).trim()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (...args: readonly string[]) => spawnSync(promtool, args, { encoding: 'utf8' })

it('are rules of Prometheus', () => {
  const { status, stdout, stderr } = run('check', 'rules', RULES)
  expect(status, stderr).toBe(0)
  expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`)
})

describe('each fires in what it is for', () => {
  it('and each has its case', () => {
    expect(rules.map(({ alert }) => alert)).toEqual(Object.keys(CASES))
  })

  it.each(rules.map(rule => [rule.alert, rule] as const))('%s', (alert, { labels: { severity } }) => {
    const { series = {}, labels = '' } = CASES[alert] ?? {}
    const firing = `ALERTS{alertname="${alert}",alertstate="firing",severity="${severity}"${labels === '' ? '' : `,${labels}`}}`
    const when = (eval_time: string, samples: readonly string[]) => ({
      eval_time,
      expr: 'ALERTS{alertstate="firing"}',
      exp_samples: samples.map(sample => ({ labels: sample, value: 1 })),
    })
    const file = join(folder, `${alert}.json`)
    // Somebody is there in every other case.
    const alive = alert === 'PurserDown' ? {} : { 'purser_open_exchanges{pod="b"}': then('0', '0') }
    const input_series = Object.entries({ ...alive, ...series }).map(([name, values]) => ({ series: name, values }))
    const tests = [{ interval: '1m', input_series, promql_expr_test: [when('10m', []), when('110m', [firing])] }]
    writeFileSync(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: '1m', tests }))
    const { status, stdout, stderr } = run('test', 'rules', file)
    expect(status, stdout + stderr).toBe(0)
  })
})
