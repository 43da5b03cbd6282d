// Folders of policies for tests: written, changed and removed by the test itself.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type LoadOutcome, loadObjects } from '../../src/files/load.ts'

/** A new folder with these files; it is removed when the test has finished. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'purser-policies-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/** Loads one file of `text`; problems without the folder's path. */
export async function load(text: string, trustedHeaders: readonly string[] | null = []): Promise<LoadOutcome> {
  const folder = folderWith({ 'p.yaml': text })
  const outcome = await loadObjects([folder], { trustedHeaders, defaultNamespace: 'default', nowMs: Date.UTC(2026, 0, 1) })
  const shorten = (lines: readonly string[]) => lines.map(line => line.replaceAll(`${folder}/`, ''))
  return { ...outcome, problems: shorten(outcome.problems), warnings: shorten(outcome.warnings) }
}

/** A BudgetPolicy `team` whose spec is these lines of flow or block YAML. */
export const budgetPolicy = (spec: string, name = 'team'): string =>
  `apiVersion: purser.dev/v1alpha1\nkind: BudgetPolicy\nmetadata:\n  name: ${name}\nspec: ${spec}\n`

/** The spec of one limit `month`, of 500 USD a month where nothing else is said. */
export const limitSpec = (over: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({ limits: [{ name: 'month', unit: 'USD', amount: '500', window: { calendar: 'Month' }, ...over }] })
