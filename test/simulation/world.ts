// One run: replicas, store, links and calls on one machine, troubled as planned, and judged in the end.
import type { Backend } from './backend.ts'
import { Call } from './call.ts'
import { FarBackend } from './far-backend.ts'
import { FAIR, Link } from './link.ts'
import { Machine } from './machine.ts'
import { judge, judgeTakeover } from './oracle/judge.ts'
import type { Plan } from './plan.ts'
import { Process } from './process.ts'
import { RedisBackend } from './redis/backend.ts'
import { Replica } from './replica.ts'
import { isHarmless, type Trouble } from './trouble.ts'

/**
 * How soon after trouble all must be well again. Redis needs longer where a socket went deaf just then: half a second until two commands
 * were silent, two of probes until it is given up, and a recovery of a second and a half that waits for a process that died.
 */
const WELL_AGAIN_MS = 2_000
const REDIS_WELL_AGAIN_MS = 4_500
/** How long the last settlements, sweeps and long-held messages may take. */
const QUIET_MS = 30_000
/** No call takes longer. */
const CALLS_MS = 120_000
const RESTART_MS = 500

export class World {
  readonly machine: Machine
  readonly plan: Plan
  readonly backend: Backend
  readonly calls: Call[] = []
  readonly replicas: Replica[] = []
  /** All that ever ran, those that are gone among them. */
  readonly everyReplica: Replica[] = []
  readonly links: readonly Link[]
  #turn = 0

  constructor(plan: Plan) {
    this.plan = plan
    const machine = new Machine(plan.startMs)
    this.machine = machine
    this.links = plan.clocks.map(() => new Link(machine, plan.chance.fork()))
    const { redis, storeOffMs, chance } = plan
    this.backend =
      redis === null
        ? new FarBackend(machine, this.links, storeOffMs)
        : new RedisBackend(machine, chance.fork(), this.links, redis, storeOffMs, (old, now) => judgeTakeover(this, old, now))
  }

  async run(): Promise<void> {
    const { machine, plan } = this
    for (const slot of plan.clocks.keys()) this.#start(slot)
    for (const [number, { atMs, plan: asked }] of plan.calls.entries()) machine.at(atMs, () => this.#call(asked, number))
    for (const trouble of plan.troubles) this.#trouble(trouble)
    machine.at(plan.endMs, () => this.#settleDown(plan.endMs))
    await machine.run()
  }

  #call(plan: Plan['calls'][number]['plan'], number: number): void {
    const call = new Call(plan, number, { machine: this.machine, pick: () => this.#pick() })
    this.calls.push(call)
    call.begin()
  }

  /** Replicas in turn, those that are not ready left out. */
  #pick(): Replica | null {
    const ready = this.replicas.filter(one => one.isReady && one.process.isAlive)
    return ready[this.#turn++ % ready.length] ?? null
  }

  #start(slot: number): void {
    const { machine, plan } = this
    const clock = plan.clocks[slot]
    const link = this.links[slot]
    if (clock === undefined || link === undefined) throw new Error(`there is no machine ${slot}`)
    const name = `replica ${slot}${'abcdefghijklmnop'[this.everyReplica.length] ?? ''}`
    const process = new Process(machine, name, plan.chance.fork(), clock)
    const replica = new Replica({
      slot,
      machine,
      process,
      openLedger: telemetry => this.backend.openLedger(process, link, slot, telemetry),
      whenNotStarted: () => machine.after(RESTART_MS, () => this.#start(slot)),
      versions: plan.versions,
      lagMs: plan.lagsMs[slot] ?? 0,
    })
    this.replicas[slot] = replica
    this.everyReplica.push(replica)
    replica.start().catch(fault => machine.fail(`${name} does not start: ${fault instanceof Error ? fault.stack : String(fault)}`))
  }

  #trouble(trouble: Trouble): void {
    const { machine } = this
    machine.at(trouble.atMs, () => {
      machine.note(`trouble: ${JSON.stringify(trouble)}`)
      this.#begin(trouble)
    })
  }

  #begin(trouble: Trouble) {
    const { machine } = this
    const over = (end: () => void): void => {
      machine.after(trouble.forMs, () => {
        machine.note(`over: ${trouble.kind}`)
        end()
      })
    }
    if ('replica' in trouble) this.#beginAt(trouble, over)
    else this.backend.begin(trouble, over)
  }

  #beginAt(trouble: Extract<Trouble, { replica: number }>, over: (end: () => void) => void) {
    const link = this.links[trouble.replica]
    const replica = this.replicas[trouble.replica]
    if (link === undefined || replica === undefined) throw new Error(`there is no replica ${trouble.replica}`)
    switch (trouble.kind) {
      case 'weather':
        link.weather = trouble.weather
        return over(() => (link.weather = FAIR))
      case 'cut':
        link.isCut = true
        return over(() => (link.isCut = false))
      case 'refused':
        link.isRefused = true
        link.closeAll()
        return over(() => (link.isRefused = false))
      case 'paused':
        return replica.process.pause(trouble.forMs)
      case 'wall clock':
        replica.process.wallOffMs += trouble.byMs
        return over(() => (replica.process.wallOffMs -= trouble.byMs))
      case 'killed':
        if (!replica.process.isAlive || replica.isDraining) return
        replica.kill()
        return over(() => this.#start(trouble.replica))
      case 'drained':
        if (!replica.process.isAlive || replica.isDraining) return
        void replica.drain(trouble.forMs)
        return over(() => this.#start(trouble.replica))
    }
  }

  /** No call begins any more: waits until all have ended and everything that is on its way has arrived. */
  #settleDown(sinceMs: number) {
    const { machine } = this
    const open = this.calls.filter(call => !call.isOver)
    const busyMs = Math.max(0, ...this.links.map(link => link.busyUntilMs)) - machine.nowMs
    if (machine.nowMs > this.plan.endMs + CALLS_MS && open.length > 0) return machine.fail(`${open[0]?.name} does not end`)
    if (open.length > 0 || busyMs > 0 || this.backend.frozenMs > 0) {
      machine.after(1_000, () => this.#settleDown(machine.nowMs))
    } else if (machine.nowMs < sinceMs + QUIET_MS) machine.after(1_000, () => this.#settleDown(sinceMs))
    else {
      judge(this)
      machine.stop()
    }
  }

  /** Whether a refusal for want of a ledger is excused, of a call that was asked for at `askedMs`. */
  isTroubled(askedMs: number): boolean {
    const { troubles, fairMs, redis } = this.plan
    return !troubles.every(isHarmless) && askedMs < fairMs + (redis === null ? WELL_AGAIN_MS : REDIS_WELL_AGAIN_MS)
  }
}
