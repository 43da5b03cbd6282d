// The policies of the end to end tests, as files in a folder of their own.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'

/** A key of Purser's own format, the same in every test: it opens nothing anywhere. */
export const KEY: string = `psk_${Buffer.alloc(32, 7).toString('base64url')}`

export const keyHash = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`

export interface PolicyFolder {
  readonly path: string
  /** Writes one file (whole: `name` is replaced if it exists). */
  write(name: string, objects: readonly unknown[]): void
  remove(): void
}

export function policyFolder(objects: readonly unknown[]): PolicyFolder {
  const path = mkdtempSync(join(tmpdir(), 'purser-policies-'))
  const folder: PolicyFolder = {
    path,
    write: (name, list) => writeFileSync(join(path, name), list.map(object => stringify(object)).join('---\n')),
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
  folder.write('policies.yaml', objects)
  return folder
}

const API = 'purser.dev/v1alpha1'

export interface LimitSpec {
  readonly name: string
  readonly unit: string
  readonly amount: string
  readonly window: unknown
  readonly partitionBy?: readonly unknown[]
}

/** A BudgetPolicy of the namespace `default`. */
export const budgetPolicy = (name: string, spec: Readonly<Record<string, unknown>>): unknown => ({
  apiVersion: API,
  kind: 'BudgetPolicy',
  metadata: { name, namespace: 'default' },
  spec,
})

/** The key {@link KEY} of Ada in the team Core, with limits of its own. */
export const accessKey = (
  limits: readonly LimitSpec[],
  key: string = KEY,
  name = 'ada',
  spec: Readonly<Record<string, unknown>> = {},
): unknown => ({
  apiVersion: API,
  kind: 'AccessKey',
  metadata: { name, namespace: 'default' },
  spec: { keyHashes: [keyHash(key)], subject: { user: 'ada', team: 'core' }, ...(limits.length > 0 ? { limits } : {}), ...spec },
})

/** Four levels with the same amount, each in another kind of window: organisation, team, key, user. */
export function fourLevels(amount: string): readonly unknown[] {
  const usd = (name: string, window: unknown, by?: string): LimitSpec => ({
    name,
    unit: 'USD',
    amount,
    window,
    ...(by === undefined ? {} : { partitionBy: [{ attribute: by }] }),
  })
  return [
    {
      apiVersion: API,
      kind: 'ClusterBudgetPolicy',
      metadata: { name: 'organisation' },
      spec: { namespaceSelector: {}, limits: [usd('yearly', { calendar: 'Year' })], response: { exposeAmounts: true } },
    },
    budgetPolicy('teams', { limits: [usd('monthly', { calendar: 'Month' }, 'team')] }),
    budgetPolicy('users', { limits: [usd('hourly', { sliding: '1h' }, 'user')] }),
    accessKey([usd('all', { lifetime: {} })]),
  ]
}

/** The level of each row of {@link fourLevels}. */
export const LEVELS = ['organisation', 'teams', 'ada', 'users'] as const
