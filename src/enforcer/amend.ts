// What is changed in an admitted body: a bound put in where none was declared, uses of tools bounded, and usage asked for in a stream. By splices, never re-serialised.
import { bodyMayBeAmended } from '../core/provider.ts'
import type { ReadResult } from '../wire/format.ts'
import { splice } from '../wire/splice.ts'
import { isIdentity } from './decode.ts'
import type { Plan } from './plan.ts'
import type { MeteredRequest } from './request.ts'

export interface Amended {
  /** The amended body, null where nothing was changed. */
  readonly body: Uint8Array | null
  /** Whether usage was asked for on the client's behalf, and is to be hidden from it. */
  readonly hideUsage: boolean
}

type ReadCall = Extract<ReadResult, { kind: 'call' }>

/** Signed bodies, compressed ones, and those of providers that are not known are left as they are. */
export function mayAmend({ info }: Pick<MeteredRequest, 'info'>, provider: string | null): boolean {
  if (info.bodyIsFixed === true) return false
  const signed = /^AWS4-/i.test(info.headers.get('authorization') ?? '')
  return !signed && isIdentity(info.headers.get('content-encoding')) && bodyMayBeAmended(provider)
}

export function amendBody(body: Uint8Array, read: ReadCall, plan: Plan, request: Pick<MeteredRequest, 'info' | 'head'>): Amended {
  if (!mayAmend(request, plan.provider)) return { body: null, hideUsage: false }
  const { call, provider } = plan
  // Whoever only watches the answer cannot hide from the client what it did not ask for.
  const hides = request.info.answersElsewhere !== true
  const includeUsage = call.streaming && !call.usageAsked && hides && knowsStreamOptions(request)
  const asks = includeUsage && read.amend({ outputBound: null, includeUsage, provider }).length > 0
  const { injectOutputBound, clampToolUses } = plan.estimate
  const splices = read.amend({ outputBound: injectOutputBound, toolUses: clampToolUses, includeUsage: asks, provider })
  return { body: splices.length === 0 ? null : splice(body, splices), hideUsage: asks }
}

/** Azure refuses `stream_options` under API versions before 2024-08-01 (its REST reference); elsewhere there is no version to ask. */
function knowsStreamOptions({ head }: Pick<MeteredRequest, 'head'>): boolean {
  const version = /(?:^|&)api-version=(\d{4}-\d{2}-\d{2})/.exec(head.query)?.[1]
  return version === undefined || version >= '2024-08-01'
}
