// One seed from its plan to its verdict.
import { planRun } from './plan.ts'
import { World } from './world.ts'

export interface Result {
  readonly seed: number
  /** Null where every promise was kept. */
  readonly violation: string | null
  /** The same for the same seed, always. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  /** How often each kind of outcome and entry was seen. */
  readonly seen: ReadonlyMap<string, number>
  /** The last notes before the end. */
  readonly trace: readonly string[]
}

export async function runSeed(seed: number): Promise<Result> {
  const plan = planRun(seed)
  const world = new World(plan)
  const faults: unknown[] = []
  const note = (fault: unknown): void => void faults.push(fault)
  process.on('unhandledRejection', note)
  try {
    await world.run()
    await new Promise(resolve => setImmediate(resolve)) // rejections that nobody took are told by now
  } finally {
    process.off('unhandledRejection', note)
  }
  const { machine, backend } = world
  for (const fault of faults) machine.fail(`a promise was left rejected: ${fault instanceof Error ? fault.stack : String(fault)}`)
  const { violation, hash, events, trace, nowMs } = machine
  return { seed, violation, hash, events, virtualMs: nowMs - plan.startMs, seen: backend.seen(), trace }
}
