// Never over, whatever is conceded: 500 clients at once against a dollar, through three replicas on one Redis, with shorter answers, other
// models and waits; every entry of the ledger is audited, and the provider's bill held against it.
import { afterEach, expect, it } from 'vitest'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { Auditor } from '../contract/auditor.ts'
import { budgetPolicy, fourLevels, KEY, LEVELS } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { type Storm, storm, stormLine } from './storm.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const DOLLAR = 1_000_000_000n
const CLIENTS = 500

let world: World | null = null
let provider: TestProvider | null = null

afterEach(async () => {
  await world?.stop()
  await provider?.stop()
  world = null
  provider = null
})

it.each([
  ['shorter answers', { reservation: { clampToHeadroom: true, minOutputTokens: 64 } }, /^clamped$/],
  [
    'other models',
    { permissions: { substitutes: ['gpt-4o-mini', 'gpt-4.1-nano'] }, reservation: { onShortfall: 'Substitute' } },
    /^substituted$/,
  ],
  [
    'all of it',
    {
      permissions: { substitutes: ['gpt-4o-mini', 'gpt-4.1-nano'] },
      reservation: { clampToHeadroom: true, minOutputTokens: 64, onShortfall: 'Substitute', queueFor: '1s' },
    },
    /^(queued|queued, )?(clamped|substituted)?$/,
  ],
])('holds under 500 clients: %s', async (name, spec, actions) => {
  provider = await startTestProvider({ delayMs: 300, outputTokens: 500 })
  world = await startWorld({
    ledger: 'redis',
    replicas: 3,
    objects: [...fourLevels('1'), budgetPolicy('concedes', spec)],
    providerPort: provider.port,
  })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
  const bodies = [chatBody(4_000, false), chatBody(4_000, true)] as const
  const result = await storm({
    port: world.envoy.port,
    clients: CLIENTS,
    spreadMs: 0,
    patience: 1,
    request: client => ({ path: CHAT_PATH, headers, body: bodies[client % 2 === 0 ? 0 : 1] }),
  })
  const rows = await settled(world.purser, 60_000)
  const billed = await provider.billed()
  console.log(stormLine(name, result, billed))
  console.log(`${name}: ${actionsOf(result)}`)

  // Where the machine is so busy that Envoy gives up waiting, it says 504, before or after the provider was asked: that is in suspense then.
  const givenUp = result.broken.filter(({ status }) => status === 504 || status === 503)
  expect(result.broken.filter(one => !givenUp.includes(one)).map(({ status, body, end }) => [status, body, end])).toEqual([])
  for (const level of LEVELS) {
    const row = rowOf(rows, level)
    const [spent, suspense] = [nano(row.spent), nano(row.suspense)]
    expect([level, nano(row.reserved), nano(row.overrun)]).toEqual([level, 0n, 0n])
    expect(spent).toBeLessThanOrEqual(DOLLAR)
    expect(billed).toBeLessThanOrEqual(spent)
    expect(billed).toBeGreaterThanOrEqual(spent - suspense)
    if (givenUp.length === 0) expect([level, spent, suspense]).toEqual([level, billed, 0n])
  }
  const told = result.admitted.map(({ headers: one }) => one['x-purser-action']).filter(action => action !== undefined)
  expect(told.length).toBeGreaterThan(0)
  for (const action of told) expect(action).toMatch(actions)
  await audited(world.redisUrl ?? '')
})

function actionsOf({ admitted }: Storm): string {
  const counts = new Map<string, number>()
  for (const { headers } of admitted) {
    const what = `${headers['x-purser-action'] ?? 'as asked'} ${headers['x-purser-model'] ?? ''}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return [...counts].map(([what, count]) => `${count} x ${what}`).join(', ')
}

/** The whole stream, entry by entry: no reserve below nothing, and every balance what its entries make it. */
async function audited(url: string): Promise<void> {
  const ledger = await openRedisLedger({ url, name: 'default', clock: systemClock, timer: systemTimer, streamMax: 200_000 })
  try {
    const auditor = new Auditor()
    for (;;) {
      const read = await ledger.entries({ afterSeq: auditor.seq, count: 1_000 })
      if (read.kind !== 'read') throw new Error(`the ledger is ${read.kind}`)
      if (read.value.length === 0) break
      auditor.take(read.value)
      for (const { what, lines } of read.value)
        if (what === 'reserved') for (const { balance } of lines) expect(balance.available).toBeGreaterThanOrEqual(0n)
    }
    const balances = await ledger.read(auditor.balances())
    if (balances.kind !== 'read') throw new Error(`the ledger is ${balances.kind}`)
    auditor.hold(balances.value, balances.storeMs)
    expect(auditor.kinds).toContain('reserved')
  } finally {
    await ledger.close()
  }
}
