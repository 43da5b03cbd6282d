// Which provider a call goes to: what the operator configured on the route, else a known host, else the path, else the model's name. And where.
import type { Call } from '../core/call.ts'
import type { PriceBook } from '../core/price.ts'
import { isRegionalHost, providerAtHuggingFace, providerOfHost, providerOfPath } from '../core/provider.ts'
import type { MeteredRequest } from './request.ts'

/** Null where none is known: then the dearest price under the model's name counts, and the body is left as it is. */
export function providerFor({ info, head }: Pick<MeteredRequest, 'info' | 'head'>, call: Call, book: PriceBook): string | null {
  return (
    info.purser.provider ??
    providerAtHuggingFace(info.authority, head.path, call.models[0] ?? '') ??
    providerOfHost(info.authority) ??
    providerOfPath(head.path) ??
    (call.models[0] === undefined ? null : book.providerOf(call.models[0]))
  )
}

/** The call, with what its host says of where it is answered. */
export const placed = (call: Call, { authority }: MeteredRequest['info']): Call =>
  isRegionalHost(authority) ? { ...call, regional: true } : call
