// Leadership under everything that a network, clocks and an operating system do to it, on a simulated machine: never two who lead at one
// time, and always one again once the trouble is over.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Api, ApiAnswer, Written } from '../../src/kubernetes/api.ts'
import { Leadership } from '../../src/kubernetes/leadership.ts'
import type { Lease } from '../../src/kubernetes/lease-record.ts'
import { LEASE_MS, LEASE_RETRY_MS } from '../../src/limits.ts'
import type { Random } from '../../src/ports.ts'
import { Machine } from '../simulation/machine.ts'

const START = Date.UTC(2026, 0, 1)
const MINUTE = 60_000

/** The Lease as a server keeps it: written only on the version that was seen. */
class LeaseServer {
  lease: Lease | null = null
  /** Every holder, in order. */
  readonly holders: string[] = []
  #version = 0

  answer(written: Written | null): { status: number; body: unknown } {
    if (written === null) return this.lease === null ? { status: 404, body: {} } : { status: 200, body: this.lease }
    const sent = written.body as Lease
    if (written.method === 'POST' && this.lease !== null) return { status: 409, body: {} }
    if (written.method === 'PUT' && this.lease === null) return { status: 404, body: {} }
    if (written.method === 'PUT' && sent.metadata.resourceVersion !== this.lease?.metadata.resourceVersion) return { status: 409, body: {} }
    this.#version += 1
    this.lease = { ...sent, metadata: { ...sent.metadata, resourceVersion: String(this.#version) } }
    const holder = this.lease.spec.holderIdentity ?? ''
    if (holder !== this.holders.at(-1)) this.holders.push(holder)
    return { status: 200, body: this.lease }
  }
}

interface Trouble {
  /** A request is lost on its way, or its answer is. */
  readonly lossPercent: number
  readonly delayMs: number
  /** Each candidate's wall clock is off by up to so much, and runs up to this much faster or slower. */
  readonly skewMs: number
  readonly drift: number
}

class Candidate {
  readonly leadership: Leadership
  /** Asleep: no timer of it fires, and no answer comes to it, until it wakes. */
  #asleep: (() => void)[] | null = null

  readonly name: string
  readonly world: World

  constructor(name: string, world: World, wallOffsetMs: number, rate: number) {
    this.name = name
    this.world = world
    const { machine } = world
    const monotonicMs = () => (machine.nowMs - START) * rate
    this.leadership = new Leadership({
      api: this.#api(),
      clock: { wallMs: () => machine.nowMs + wallOffsetMs, monotonicMs },
      timer: { after: (ms, run) => machine.after(ms / rate, () => this.#awake(run)) },
      random: world.random,
      namespace: 'purser',
      name: 'purser-controller',
      identity: name,
      told: { began: () => {}, ended: () => {}, away: () => {} },
    })
  }

  sleep(): void {
    this.#asleep ??= []
  }

  wake(): void {
    const missed = this.#asleep ?? []
    this.#asleep = null
    for (const run of missed) run()
  }

  #awake(run: () => void): void {
    if (this.#asleep === null) run()
    else this.#asleep.push(run)
  }

  #api(): Api {
    const ask = (written: Written | null): Promise<ApiAnswer> =>
      new Promise((resolve, reject) => {
        const { machine, server, trouble, random } = this.world
        const delay = () => random.fraction() * (this.world.isTroubled ? trouble.delayMs : 100)
        const isLost = () => this.world.isTroubled && random.fraction() * 100 < trouble.lossPercent
        const fail = () => this.#awake(() => reject(new Error('lost')))
        if (isLost()) return void machine.after(5_000, fail)
        machine.after(delay(), () => {
          const { status, body } = server.answer(written)
          if (isLost()) return void machine.after(5_000, fail)
          machine.after(delay(), () => this.#awake(() => resolve({ status, retryAfterMs: null, body: bodyOf(body) })))
        })
      })
    return { get: () => ask(null), send: (_, written) => ask(written), renew: () => {}, close: () => {} }
  }
}

class World {
  readonly machine = new Machine(START)
  readonly server = new LeaseServer()
  readonly trouble: Trouble
  readonly random: Random
  readonly candidates: readonly Candidate[]
  isTroubled = true

  constructor(trouble: Trouble, seed: number, count: number) {
    this.trouble = trouble
    let state = seed >>> 0
    const fraction = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 32
    }
    this.random = { fraction, hex: bytes => 'a'.repeat(2 * bytes) }
    const spread = () => 2 * fraction() - 1
    this.candidates = Array.from(
      { length: count },
      (_, index) => new Candidate(`c${index}`, this, spread() * trouble.skewMs, 1 + spread() * trouble.drift),
    )
  }

  get leading(): readonly string[] {
    return this.candidates.filter(one => one.leadership.isLeading).map(one => one.name)
  }

  /** Looks at every moment whether two lead. */
  watch(untilMs: number): void {
    const look = () => {
      if (this.leading.length > 1) this.machine.fail(`${this.leading.join(' and ')} lead`)
      if (this.machine.nowMs < untilMs) this.machine.after(97, look)
    }
    look()
  }
}

/** In promises alone: a stream of the machine's own would come later than its time. */
async function* bodyOf(value: unknown): AsyncGenerator<Buffer> {
  yield Buffer.from(JSON.stringify(value))
}

const TROUBLES = fc.record({
  lossPercent: fc.integer({ min: 0, max: 40 }),
  delayMs: fc.integer({ min: 0, max: 3_000 }),
  skewMs: fc.constantFrom(0, 1_000, 3_600_000, 86_400_000),
  // Monotonic clocks of real machines drift by far less than a thousandth.
  drift: fc.constantFrom(0, 0.001),
})
const SLEEPS = fc.array(fc.record({ who: fc.nat(2), atMs: fc.nat(4 * MINUTE), ms: fc.integer({ min: 100, max: MINUTE }) }), {
  maxLength: 8,
})

describe('leadership', () => {
  it('is of one at a time, whatever is lost, late, skewed or asleep, and of one again afterwards', async () => {
    await fc.assert(
      fc.asyncProperty(TROUBLES, SLEEPS, fc.nat(), async (trouble, sleeps, seed) => {
        const world = new World(trouble, seed, 3)
        const { machine, candidates } = world
        for (const { who, atMs, ms } of sleeps) {
          machine.after(atMs, () => candidates[who]?.sleep())
          machine.after(atMs + ms, () => candidates[who]?.wake())
        }
        world.watch(START + 7 * MINUTE)
        machine.after(5 * MINUTE, () => {
          world.isTroubled = false
        })
        let leader: readonly string[] = []
        machine.after(6 * MINUTE, () => {
          leader = world.leading
        })
        machine.after(7 * MINUTE, () => machine.stop())
        await machine.run()
        expect(machine.violation).toBeNull()
        expect(leader).toHaveLength(1)
        expect(world.leading).toEqual(leader)
      }),
      { numRuns: 60 },
    )
  })

  it('is taken from one who is dead after the length of a lease, and left at once by one who stops', async () => {
    const world = new World({ lossPercent: 0, delayMs: 10, skewMs: 86_400_000, drift: 0 }, 1, 2)
    const { machine, candidates, server } = world
    const leaders: (string | undefined)[] = []
    const note = () => leaders.push(world.leading[0])
    const other = (name: string | undefined) => candidates.find(one => one.name !== name)
    machine.after(LEASE_MS, note)
    machine.after(LEASE_MS + 1, () => candidates.find(one => one.name === leaders[0])?.sleep())
    machine.after(2 * LEASE_MS - LEASE_RETRY_MS - 100, note)
    machine.after(2 * LEASE_MS + 2 * LEASE_RETRY_MS, note)
    machine.after(60_000, () => {
      candidates.find(one => one.name === leaders[0])?.wake()
      void candidates.find(one => one.name === leaders[2])?.leadership.stop()
    })
    machine.after(60_000 + 2 * LEASE_RETRY_MS, note)
    machine.after(90_000, () => machine.stop())
    await machine.run()
    const [first] = leaders
    const second = other(first)?.name
    expect(leaders).toEqual([first, undefined, second, first])
    expect(server.holders).toEqual([first, second, '', first])
    expect(server.lease?.spec).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 2 })
    expect(server.lease?.spec.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  })

  it('is kept by a leader whose Lease somebody else edits or removes', async () => {
    const world = new World({ lossPercent: 0, delayMs: 10, skewMs: 0, drift: 0 }, 2, 1)
    const { machine, server } = world
    const seen: number[] = []
    const look = () => seen.push(world.leading.length)
    machine.after(3_000, () => {
      look()
      const lease = server.lease
      if (lease !== null) server.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: '1000' } }
    })
    machine.after(6_000, () => {
      look()
      server.lease = null
    })
    machine.after(9_000, () => {
      look()
      machine.stop()
    })
    await machine.run()
    expect(seen).toEqual([1, 1, 1])
    expect(server.lease).not.toBeNull()
  })
})
