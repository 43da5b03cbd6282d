// No recorded stream would be cut, were no more reserved for than it was billed for: who keeps to the bound is never ended.
import { expect, it } from 'vitest'
import { hasOutgrown } from '../../src/core/outgrown.ts'
import { chargeOf } from '../../src/enforcer/charge.ts'
import { askedOf, finished, meterOf, NOW, planOf, readExchanges } from './recorded.ts'

it('no recorded stream has outgrown what it was billed, at any of its pieces', async () => {
  const cut: string[] = []
  let [looked, most] = [0, 0]
  for (const exchange of readExchanges()) {
    // Only streams of server-sent events are ever cut.
    const isCuttable = /event-stream/i.test(exchange.response.headers.get('content-type') ?? '')
    const asked = isCuttable ? askedOf(exchange) : null
    const plan = asked === null || asked.lost ? null : planOf(exchange, asked.call)
    if (asked === null || plan === null || typeof plan === 'string') continue
    const whole = meterOf(exchange, asked)
    whole.push(exchange.response.body, false)
    const charge = chargeOf(plan, await finished(whole, true), NOW)
    if (!charge.proven || charge.outputTokens === 0n) continue
    looked++
    const tight = { ...plan, estimate: { ...plan.estimate, outputTokens: charge.outputTokens } }
    const meter = meterOf(exchange, asked)
    for (let at = 0; at < exchange.response.body.length; at += 512) {
      meter.push(exchange.response.body.subarray(at, at + 512), false)
      if (hasOutgrown(tight, meter.reading())) {
        cut.push(`${exchange.id}: billed ${charge.outputTokens} at byte ${at}`)
        break
      }
      most = Math.max(most, at)
    }
  }
  console.log(`${looked} streams; cut: ${cut.join('; ') || 'none'}`)
  expect(looked).toBeGreaterThan(90)
  expect(most).toBeGreaterThan(10_000)
  expect(cut).toEqual([])
})
