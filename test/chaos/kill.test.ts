// Replicas killed with calls in flight, again and again: all of it is charged, nothing stays open, and what has no proof shows as such.
import { afterEach, expect, it } from 'vitest'
import { fourLevels, LEVELS } from '../e2e/policies.ts'
import { startTestProvider, type TestProvider } from '../e2e/provider.ts'
import { type Purser, startPurser } from '../e2e/purser.ts'
import { until } from '../e2e/until.ts'
import { nano, rowOf, settled, startWorld, type World } from '../e2e/world.ts'
import { startTraffic, storyOf, type Traffic, wholeOf } from './traffic.ts'

/** 200 unless told: a run of all suites makes do with fewer. */
const ROUNDS = Number(process.env['CHAOS_ROUNDS'] ?? 200)
const IN_FLIGHT = 50
const REPLICAS = 4
/** A fair share of them is more: what a replica has when Envoy has found it again. */
const MEANT_FOR_ONE = 5
/** A holder is silent for 15 s before it is swept, and sweeps are 2 s apart: with the machine this busy, not longer than this in all. */
const GRACE_MS = 30_000

let world: World | null = null
let provider: TestProvider | null = null
let traffic: Traffic | null = null
const successors: Purser[] = []

afterEach(async () => {
  await traffic?.stop()
  for (const purser of successors.splice(0)) await purser.child.end('SIGKILL')
  await world?.stop()
  await provider?.stop()
})

it(`charges at least what is billed over ${ROUNDS} kills with ${IN_FLIGHT} calls in flight`, { timeout: 1_500_000 }, async () => {
  provider = await startTestProvider({ chunkDelayMs: 15, outputTokens: 100 })
  world = await startWorld({ ledger: 'redis', replicas: REPLICAS, objects: fourLevels('100000'), providerPort: provider.port })
  const { envoy, pursers, policies, redisUrl } = world
  traffic = startTraffic(envoy.port, IN_FLIGHT)
  const [witness, ...victims] = pursers
  if (witness === undefined || redisUrl === null) throw new Error('a replica is left to watch')
  const alive = [...victims]
  const starting: Promise<void>[] = []
  let killedWith = 0
  for (let round = 0; round < ROUNDS; round++) {
    const running = traffic
    const found: Purser[] = []
    await until('calls in flight at a replica', 60_000, witness.child, async () => {
      if (running.inFlight() < IN_FLIGHT / 2) return false
      for (const purser of alive) if (found.length === 0 && (await inFlightAt(purser)) >= MEANT_FOR_ONE) found.push(purser)
      return found.length > 0
    })
    const [victim] = found
    if (victim === undefined) throw new Error('there is always one to kill')
    killedWith += await inFlightAt(victim)
    alive.splice(alive.indexOf(victim), 1)
    await victim.child.end('SIGKILL')
    // The next one dies while this one's successor is still starting.
    starting.push(
      startPurser({ policies: policies.path, ledger: redisUrl, drainSeconds: 1, grpcPort: victim.grpcPort }).then(next => {
        successors.push(next)
        alive.push(next)
      }),
    )
    if (round % 25 === 24) console.log(`killed ${round + 1} with ${killedWith} calls; ${storyOf(traffic.answers)}`)
  }
  await Promise.all(starting)
  await traffic.stop()
  const over = provider
  await until('the provider to have billed everything', 30_000, null, async () => (await over.open()) === 0)
  const rows = await settled(witness, GRACE_MS)
  const billed = await provider.billed()
  console.log(`billed $${Number(billed) / 1e9} in ${traffic.answers.length} calls, ${wholeOf(traffic.answers).length} of them whole`)
  for (const level of LEVELS) {
    const row = rowOf(rows, level)
    console.log(`  ${level}: charged $${row.spent}, of it unproven $${row.suspense}`)
    expect([level, nano(row.spent) >= billed]).toEqual([level, true])
    // What is proven was billed: only what has no proof can be charged beyond the bill.
    expect([level, nano(row.spent) - nano(row.suspense) <= billed]).toEqual([level, true])
    expect([level, row.overrun]).toEqual([level, '0'])
  }
  // The death of a replica costs its own calls, and no others.
  expect(traffic.answers.length - wholeOf(traffic.answers).length).toBeGreaterThan(ROUNDS)
})

/** Calls that a replica has admitted and not closed; what it swept was another's. */
async function inFlightAt(purser: Purser): Promise<number> {
  const closed = 'purser_reservations_closed_total'
  const own = (await purser.metric(closed)) - (await purser.metric(closed, { how: 'expired' }))
  return (await purser.metric('purser_decisions_total', { decision: 'admitted' })) - own
}
