// The floor of expiry: what a call whose end nobody saw is charged at least. Knows no reservation.
import type { Call } from './call.ts'
import { boundCost } from './cost-bound.ts'
import type { Amounts, Estimate } from './estimate.ts'
import { nanoUsd } from './money.ts'
import type { Price } from './price.ts'

/**
 * `Estimate`: all of the estimate. `Observed`: what the input alone costs, for the provider has read it; where tools run at the
 * provider, or nothing is generated, that is no bound, and the whole estimate stands.
 */
export function expiryFloor(
  onExpiry: 'Estimate' | 'Observed',
  call: Call,
  prices: readonly Price[],
  estimate: Pick<Estimate, 'inputTokens' | 'outputTokens' | 'cost'>,
): Amounts {
  const whole = { ...estimate, requests: 1n }
  if (onExpiry === 'Estimate' || call.serverTools.length > 0 || !call.generates || call.background) return whole
  const { inputTokens } = estimate
  const cost = estimate.cost === null ? null : boundCost(call, prices, { kind: 'bound', tokens: inputTokens }, 0n, 0n)
  const isLess = cost !== null && estimate.cost !== null && cost < estimate.cost
  return { inputTokens, outputTokens: 0n, requests: 1n, cost: isLess ? nanoUsd(cost) : estimate.cost }
}
