// What is changed in an admitted body: a bound put in where none was declared or a lower one must do, another model, uses of tools bounded, and usage asked for in a stream. By splices, never re-serialised.
import { bodyMayBeAmended } from '../core/provider.ts'
import type { ReadResult, Splice } from '../wire/format.ts'
import { splice } from '../wire/splice.ts'
import { isIdentity } from './decode.ts'
import type { MeteredRequest } from './request.ts'
import type { Passage, Powers, Way } from './ways.ts'

export interface Amended {
  /** The amended body, null where nothing was changed. */
  readonly body: Uint8Array | null
  /** Whether usage was asked for on the client's behalf, and is to be hidden from it. */
  readonly hideUsage: boolean
}

export type ReadCall = Extract<ReadResult, { kind: 'call' }>

/** Signed bodies, compressed ones, and those of providers that are not known are left as they are. */
export function mayAmend({ info }: Pick<MeteredRequest, 'info'>, provider: string | null): boolean {
  if (info.bodyIsFixed === true) return false
  const signed = /^AWS4-/i.test(info.headers.get('authorization') ?? '')
  return !signed && isIdentity(info.headers.get('content-encoding')) && bodyMayBeAmended(provider)
}

/** What the request can be made to ask for, at this provider. */
export const powersOf = (read: ReadCall, provider: string | null, mayInject: boolean): Powers => ({
  mayInject,
  takesBound: outputBound => read.amend({ outputBound, includeUsage: false, provider }).length > 0,
  as: model => read.as?.(model) ?? null,
})

/** What the body is to say for a passage of its call. One that has no plan is not metered: then only the model is put in. */
export function amendBody(
  body: Uint8Array,
  read: ReadCall,
  passage: Passage & Partial<Pick<Way, 'plan'>>,
  request: Pick<MeteredRequest, 'info' | 'head'>,
): Amended {
  const { call, provider, rename: model, plan } = passage
  if (!mayAmend(request, provider)) return { body: null, hideUsage: false }
  if (plan === undefined)
    return { body: spliced(body, read.amend({ outputBound: null, includeUsage: false, provider, model })), hideUsage: false }
  // Whoever only watches the answer cannot hide from the client what it did not ask for.
  const hides = request.info.answersElsewhere !== true
  const includeUsage = call.streaming && !call.usageAsked && hides && knowsStreamOptions(request)
  const asks = includeUsage && read.amend({ outputBound: null, includeUsage, provider }).length > 0
  const { injectOutputBound, clampToolUses } = plan.estimate
  const splices = read.amend({ outputBound: injectOutputBound, toolUses: clampToolUses, includeUsage: asks, provider, model })
  return { body: spliced(body, splices), hideUsage: asks }
}

const spliced = (body: Uint8Array, splices: readonly Splice[]): Uint8Array | null => (splices.length === 0 ? null : splice(body, splices))

/** Azure refuses `stream_options` under API versions before 2024-08-01 (its REST reference); elsewhere there is no version to ask. */
function knowsStreamOptions({ head }: Pick<MeteredRequest, 'head'>): boolean {
  const version = /(?:^|&)api-version=(\d{4}-\d{2}-\d{2})/.exec(head.query)?.[1]
  return version === undefined || version >= '2024-08-01'
}
