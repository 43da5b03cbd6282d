// Proofs of ledgers in a real Redis: by random moves, cut, exported, and while replicas go on writing.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { exportLedger } from '../../src/cli/ledger-export.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { told, verify } from '../cli/proving.ts'
import { runOn } from '../cli/tools.ts'
import { Honest } from '../contract/honest.ts'
import { makeRedis } from './make-redis.ts'
import { RedisServer } from './server.ts'

const SEED = Math.floor(Math.random() * 2 ** 31)
let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => server.stop())

const open = (name: string, streamMax: number) =>
  openRedisLedger({ url: server.url, name, clock: systemClock, timer: systemTimer, streamMax })

it('proves what random moves of every kind left, whole and cut', async () => {
  for (let seed = SEED; seed < SEED + 4; seed += 1) {
    for (const streamMax of [100_000, 100]) {
      const made = await makeRedis(server)({ streamMax })
      const play = Honest.on(made, seed)
      for (let round = 0; round < 4; round += 1) {
        await play.turns(120)
        expect(await told(made.ledger), `seed ${seed}, ${streamMax} entries`).toBe('proven')
      }
      await made.close()
    }
  }
}, 120_000)

it.each([100_000, 500])(
  'proves a ledger that two replicas go on writing to, with %s entries kept',
  async streamMax => {
    const name = `live-${streamMax}`
    const replicas = await Promise.all([open(name, streamMax), open(name, streamMax)])
    const reader = await open(name, streamMax)
    let writing = true
    const plays = replicas.flatMap((ledger, index) =>
      [0, 1, 2, 3].map(
        each =>
          new Honest(
            ledger,
            () => Date.now(),
            () => {},
            SEED + 4 * index + each,
          ),
      ),
    )
    const writers = plays.map(async play => {
      while (writing) await play.turn()
    })
    try {
      const [seqs, deadline] = [new Set<number>(), performance.now() + 120_000]
      while ((seqs.size < 10 || Math.max(...seqs) < 1_500) && performance.now() < deadline) {
        const verified = await verify(reader)
        expect(verified.kind === 'different' ? verified.difference.words : verified.kind, `seed ${SEED}`).toBe('proven')
        if (verified.kind === 'proven') seqs.add(verified.proof.lastSeq)
      }
      expect(seqs.size, 'the ledger moved between the proofs').toBeGreaterThanOrEqual(10)
      expect(Math.max(...seqs)).toBeGreaterThanOrEqual(1_500)
    } finally {
      writing = false
      await Promise.all(writers)
    }
    expect(await told(reader)).toBe('proven')
    for (const ledger of [...replicas, reader]) await ledger.close()
  },
  180_000,
)

it('exports what was not acknowledged yet, each entry once, and goes on from there', async () => {
  const ledger = await open('exported', 10_000)
  const play = new Honest(
    ledger,
    () => Date.now(),
    () => {},
    SEED,
  )
  const seen: number[] = []
  const env = { PURSER_LEDGER: server.url, PURSER_LEDGER_NAME: 'exported' }
  for (let round = 0; round < 3; round += 1) {
    await play.turns(300)
    const { code, out } = await runOn(ledger, exportLedger, [], { env })
    expect(code).toBe(0)
    seen.push(
      ...out
        .trim()
        .split('\n')
        .map(each => JSON.parse(each).data.seq),
    )
    const read = await ledger.entries({ afterSeq: 0, count: 1 })
    if (read.kind !== 'read') throw new Error(read.kind)
    expect(seen).toEqual(Array.from({ length: read.seq }, (_, index) => index + 1))
    expect(await ledger.acknowledge(0)).toMatchObject({ kind: 'acknowledged', seq: read.seq })
  }
  await ledger.close()
}, 60_000)
