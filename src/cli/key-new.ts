// `key new`: a key nobody knew before, and the AccessKey object that holds its hash. Prints the key once and keeps it nowhere.
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { NoKey } from './key-fault.ts'

/** `value` with what is wrong with it as an object, field by field; empty where nothing is. */
export type CheckKeyObject = (value: unknown) => readonly string[]

export interface NewKey {
  readonly key: string
  /** Of the AccessKey, as YAML. */
  readonly object: string
  /** Where the key is to be written instead of being printed. */
  readonly keyFile: string | null
}

export interface KeyParts {
  readonly nowMs: number
  /** 64 hex digits that nobody can guess. */
  readonly randomHex: string
  sha256(text: string): string
  readonly check: CheckKeyObject
}

const OPTIONS = {
  namespace: { type: 'string' },
  user: { type: 'string' },
  team: { type: 'string' },
  attribute: { type: 'string', multiple: true },
  label: { type: 'string', multiple: true },
  models: { type: 'string' },
  providers: { type: 'string' },
  endpoints: { type: 'string' },
  limit: { type: 'string', multiple: true },
  experiment: { type: 'string' },
  budget: { type: 'string' },
  'max-per-request': { type: 'string' },
  expires: { type: 'string' },
  for: { type: 'string' },
  'key-file': { type: 'string' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values']

/** The key and object that `args` ask for. Throws {@link NoKey} with a sentence where they cannot be had. */
export function newKey(args: readonly string[], { nowMs, randomHex, sha256, check }: KeyParts): NewKey {
  const { values, name } = readArgs(args)
  const key = `psk_${Buffer.from(randomHex, 'hex').toString('base64url')}`
  const object = accessKey(name, values, sha256(key), nowMs)
  const problems = check(structuredClone(object))
  if (problems.length > 0) throw new NoKey(problems.join('\n'))
  return { key, object: stringify(object, { lineWidth: 0 }), keyFile: values['key-file'] ?? null }
}

function readArgs(args: readonly string[]): { readonly values: Values; readonly name: string } {
  let parsed: { readonly values: Values; readonly positionals: readonly string[] }
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (fault) {
    throw new NoKey(fault instanceof Error ? fault.message : String(fault))
  }
  const { experiment, budget } = parsed.values
  const [name, ...more] = experiment === undefined ? parsed.positionals : [experiment, ...parsed.positionals]
  if (name === undefined || more.length > 0) throw new NoKey('one name is needed for the AccessKey: purser key new NAME')
  if ((experiment === undefined) !== (budget === undefined)) throw new NoKey('--experiment and --budget go together')
  return { values: parsed.values, name }
}

function accessKey(name: string, values: Values, hash: string, nowMs: number): object {
  const labels = pairs('label', values.label)
  const attributes = pairs('attribute', values.attribute)
  const subject = some({ user: values.user, team: values.team, attributes })
  const allowed = (list: string | undefined) => (list === undefined ? undefined : { allow: list.split(',').map(glob => glob.trim()) })
  const permissions = some({
    models: allowed(values.models),
    providers: allowed(values.providers),
    endpoints: allowed(values.endpoints),
  })
  const perRequest = values['max-per-request']
  return {
    apiVersion: 'purser.dev/v1alpha1',
    kind: 'AccessKey',
    metadata: { name, ...some({ namespace: values.namespace, labels }) },
    spec: {
      keyHashes: [hash],
      ...some({
        subject,
        experiment: values.experiment === undefined ? undefined : true,
        expiresAt: expiry(values, nowMs),
        permissions,
        reservation: perRequest === undefined ? undefined : { maxPerRequest: perRequest },
        limits: limitsOf(values),
      }),
    },
  }
}

/** The fields that have a value; undefined where none has. */
function some<T extends object>(fields: T): Partial<T> | undefined {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined)
  return kept.length === 0 ? undefined : (Object.fromEntries(kept) as Partial<T>)
}

function pairs(flag: string, texts: readonly string[] | undefined): Readonly<Record<string, string>> | undefined {
  if (texts === undefined) return undefined
  const split = texts.map(text => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
    if (name === undefined || value === undefined) throw new NoKey(`--${flag} ${text}: allowed: NAME=VALUE`)
    return [name, value] as const
  })
  return Object.fromEntries(split)
}

function limitsOf({ budget, limit }: Values): readonly object[] | undefined {
  const whole = budget === undefined ? [] : [{ name: 'budget', unit: 'USD', amount: budget, window: { lifetime: {} } }]
  const all = [...whole, ...(limit ?? []).map(limitOf)]
  return all.length === 0 ? undefined : all
}

const LIMIT = /^([^=]+)=([0-9.]+)(USD|Tokens|InputTokens|OutputTokens|Requests)?\/(.+)$/

function limitOf(text: string): object {
  const [, name, amount, unit = 'USD', window] = LIMIT.exec(text) ?? []
  if (window === undefined)
    throw new NoKey(`--limit ${text}: allowed: NAME=AMOUNT[UNIT]/WINDOW, for instance day=20/Day or rate=200000Tokens/1m`)
  return { name, unit, amount, window: windowOf(window) }
}

function windowOf(text: string): object {
  if (text === 'lifetime' || text === 'inFlight') return { [text]: {} }
  return /^[0-9]/.test(text) ? { sliding: text } : { calendar: text }
}

const SPAN_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000 }

function expiry({ expires, for: span }: Values, nowMs: number): string | undefined {
  if (span === undefined) return expires
  if (expires !== undefined) throw new NoKey('--for and --expires say the same: give one of them')
  const [, count, unit = ''] = /^([1-9][0-9]{0,4})([dhm])$/.exec(span) ?? []
  if (count === undefined) throw new NoKey(`--for ${span}: allowed: a number of days, hours or minutes, such as 7d or 12h`)
  const atMs = nowMs + Number(count) * (SPAN_MS[unit] ?? 0)
  return new Date(Math.floor(atMs / 1_000) * 1_000).toISOString().replace('.000Z', 'Z')
}
