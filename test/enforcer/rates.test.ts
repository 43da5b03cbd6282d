// Rates: a caller that waits as it is told passes, and is not told to wait for a whole window.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { request } from './requests.ts'
import { openWorld, type World } from './world.ts'

const POLICY = `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec: {limits: [{name: rate, unit: Requests, amount: "3", window: {sliding: 1m}}]}
`

/** What was told in `retry-after`; null where the call passed. */
async function ask(world: World): Promise<number | null> {
  const exchange = world.open()
  exchange.requestHeaders(request({ authority: 'api.openai.com' }))
  const answer = await exchange.requestBody(Buffer.from('{"model":"gpt-4o","max_tokens":5,"messages":[]}'))
  if (answer.kind !== 'refuse') return null
  expect(answer.refusal.reason).toBe('rate')
  return Number(answer.refusal.headers.find(([name]) => name === 'retry-after')?.[1])
}

it('a refusal by a rate tells when the oldest call has slid out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 5, maxLength: 12 }), async pauses => {
      const world = await openWorld(POLICY)
      const { clock } = world.enforcer
      const passed: number[] = []
      for (const pause of pauses) {
        world.step(pause)
        const told = await ask(world)
        if (told === null) {
          passed.push(clock.wallMs())
          continue
        }
        const waitMs = (passed.at(-3) ?? 0) + 60_000 - clock.wallMs()
        expect(told * 1_000).toBeGreaterThanOrEqual(waitMs)
        // A second more for the part of the window, a second for whole numbers, and half as much again to spread callers.
        expect(told * 1_000).toBeLessThanOrEqual((waitMs + 1_000) * 1.5 + 1_000)
        world.step(told * 1_000)
        expect(await ask(world)).toBeNull()
        passed.push(clock.wallMs())
      }
    }),
    { numRuns: 50 },
  )
})
