// Proof that comes later: an answer that is fetched again tells what the call for it did cost. Charges nobody for the fetching.
import { createHash } from 'node:crypto'
import { amountOf } from '../core/estimate.ts'
import { inputTotal, outputTotal, type UsageReading } from '../core/usage.ts'
import { unreadCall } from '../wire/call-draft.ts'
import { costOfAnswer } from './charge.ts'
import type { Enforcer } from './enforcer.ts'
import { providerFor } from './provider.ts'
import type { WatchedRequest } from './request.ts'

/** SHA-256, hex, of the provider and its own id of an answer: the name under which a charge without proof is found again. */
export const answerHash = (provider: string | null, id: string): string =>
  createHash('sha256')
    .update(`${provider ?? ''} ${id}`)
    .digest('hex')

/** Corrects the charge of the answer that was fetched, once, where its final usage came and its reservation is known. */
export async function prove(request: WatchedRequest, reading: UsageReading, enforcer: Enforcer): Promise<void> {
  if (reading.kind !== 'exact' || reading.answerId === undefined) return
  const { ledger, prices, settler, time, holder, telemetry } = enforcer
  const { usage } = reading
  const book = prices.current()
  const call = { ...unreadCall(request.format.name, request.endpoint, false), models: usage.model === null ? [] : [usage.model] }
  const provider = providerFor(request, call, book)
  const found = await ledger.findByResponse(answerHash(provider, reading.answerId))
  if (found.kind !== 'read') return telemetry.ledgerError(found.kind)
  if (found.value === null) return
  const { id, lines, priceBook } = found.value
  const cost = costOfAnswer({ call, provider, book, prices: [] }, usage, time.now())
  // What has no price here stays charged as it is.
  if (cost === null && lines.some(line => line.unit === 'USD')) return
  const { tokens } = usage
  const counts = { inputTokens: inputTotal(tokens), outputTokens: outputTotal(tokens), requests: 1n, cost }
  const amounts = lines.map(line => (line.window.kind === 'inFlight' ? 0n : amountOf(line.unit, counts)))
  // Another book's price is no proof.
  settler.settle({ id, lines, holder, amounts, proven: priceBook === book.hash, how: 'fetched' })
  telemetry.closed('fetched')
}
