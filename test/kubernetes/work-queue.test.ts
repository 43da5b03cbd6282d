// The queue of names under random additions, on a simulated machine: no name twice at a time, none forgotten, failures again and later.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type WorkOutcome, WorkQueue } from '../../src/kubernetes/work-queue.ts'
import type { ControllerTelemetry } from '../../src/ports.ts'
import { Machine } from '../simulation/machine.ts'

const NOTHING = () => {}
const silent = (over: Partial<ControllerTelemetry> = {}): ControllerTelemetry => ({
  ...{ reconciled: NOTHING, queueAdded: NOTHING, queueRetried: NOTHING, queueDepth: NOTHING, queueWaited: NOTHING },
  ...{ leading: NOTHING, say: NOTHING, fault: NOTHING },
  ...over,
})

interface World {
  readonly machine: Machine
  readonly queue: WorkQueue
  /** When the work on a name began, in order. */
  readonly begun: { readonly name: string; readonly atMs: number }[]
}

function worldOf(workers: number, work: (name: string, machine: Machine) => Promise<WorkOutcome>, telemetry = silent()): World {
  const machine = new Machine(0)
  const active = new Set<string>()
  const begun: World['begun'] = []
  const queue = new WorkQueue({
    clock: { wallMs: () => machine.nowMs, monotonicMs: () => machine.nowMs },
    timer: { after: (ms, run) => machine.after(ms, run) },
    random: { fraction: () => 0.5, hex: () => '' },
    telemetry,
    workers,
    work: async name => {
      if (active.has(name)) machine.fail(`${name} is worked on twice`)
      active.add(name)
      if (active.size > workers) machine.fail('more are worked on than there are workers')
      begun.push({ name, atMs: machine.nowMs })
      try {
        return await work(name, machine)
      } finally {
        active.delete(name)
      }
    },
  })
  return { machine, queue, begun }
}

const takes = (machine: Machine, ms: number): Promise<void> => new Promise(resolve => void machine.after(ms, resolve))
const DONE: WorkOutcome = { kind: 'done' }

describe('the queue', () => {
  it('works on every name after it was added last, however additions and failures fall', async () => {
    const additions = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.nat(2_000)), { minLength: 1, maxLength: 60 })
    const outcomes = fc.array(fc.tuple(fc.nat(300), fc.constantFrom('done', 'done', 'error', 'requeue', 'throw')), {
      minLength: 1,
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(additions, outcomes, fc.integer({ min: 1, max: 4 }), async (added, plan, workers) => {
        let step = 0
        const last = new Map<string, string>()
        const world = worldOf(workers, async (name, machine) => {
          // In the end everything goes well.
          const [ms, how] = machine.nowMs > 3_000 ? [1, 'done'] : (plan[step++ % plan.length] ?? [1, 'done'])
          last.set(name, how)
          await takes(machine, ms)
          if (how === 'throw') throw new Error('a bug')
          return how === 'done' ? DONE : { kind: 'again', isError: how === 'error', retryAfterMs: null }
        })
        for (const [name, atMs] of added) world.machine.after(atMs, () => world.queue.add(name))
        await world.machine.run()
        expect(world.machine.violation).toBeNull()
        for (const [name, atMs] of added) {
          expect(world.begun.some(one => one.name === name && one.atMs >= atMs)).toBe(true)
          expect(last.get(name)).toBe('done')
        }
        await world.queue.idle()
      }),
    )
  })

  it('adds a name once however often, and counts what it does', async () => {
    const counts = { added: 0, depth: 0, done: 0 }
    const telemetry = silent({
      queueAdded: () => (counts.added += 1),
      queueDepth: depth => (counts.depth = Math.max(counts.depth, depth)),
      reconciled: result => (counts.done += result === 'success' ? 1 : 0),
    })
    const world = worldOf(1, (_, machine) => takes(machine, 100).then(() => DONE), telemetry)
    for (const name of ['a', 'b', 'b', 'c', 'a', 'a']) world.queue.add(name)
    await world.machine.run()
    // `a` was being worked on when it was added again.
    expect(world.begun.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'a'])
    expect(counts).toEqual({ added: 4, depth: 2, done: 4 })
  })

  it('waits longer with each failure, at least as long as the server asks, and anew after a success', async () => {
    const plan = ['error', 'error', 'error', 'done']
    const world = worldOf(1, async () => {
      const how = plan.shift()
      return how === 'error' ? { kind: 'again', isError: true, retryAfterMs: plan.length === 1 ? 30_000 : null } : DONE
    })
    world.queue.add('a')
    await world.machine.run()
    const at = world.begun.map(({ atMs }) => atMs)
    expect(at).toHaveLength(4)
    const [first = 0, second = 0, third = 0] = at.slice(1).map((ms, index) => ms - (at[index] ?? 0))
    expect(first).toBeGreaterThanOrEqual(100)
    expect(second).toBeGreaterThan(first)
    expect(third).toBeGreaterThanOrEqual(30_000)
  })

  it('gives other work its turn, and forgets what waits when it is told to', async () => {
    const world = worldOf(4, async () => DONE)
    let turns = 0
    const count = (): void => {
      turns += 1
      if (world.begun.length < 1_000) world.machine.after(0, count)
    }
    world.machine.after(0, count)
    for (let index = 0; index < 1_000; index++) world.queue.add(`n${index}`)
    await world.machine.run()
    expect(world.begun).toHaveLength(1_000)
    expect(turns).toBeGreaterThan(20)
    for (let index = 0; index < 100; index++) world.queue.add(`m${index}`)
    world.queue.addAfter('later', 10)
    const { length } = world.begun
    world.queue.clear()
    await world.machine.run()
    expect(world.begun.length - length).toBeLessThan(30)
    expect(world.begun.map(({ name }) => name)).not.toContain('later')
  })
})
