// Waiting for something that tells nobody when it happens: asked again at short intervals, given up as soon as its process has ended.
import { setTimeout as after } from 'node:timers/promises'
import type { Child } from './child.ts'

/** Resolves when `isSo` answers true; an error of `isSo` counts as "not yet". Rejects after `timeoutMs`, or when `child` ends. */
export async function until(what: string, timeoutMs: number, child: Child | null, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let ended = false
  let last: unknown
  void child?.exited.then(() => {
    ended = true
  })
  while (performance.now() < deadline) {
    try {
      if (await isSo()) return
    } catch (error) {
      last = error
    }
    if (ended) break
    await after(25)
  }
  const lines = child === null ? '' : `; last lines of ${child.name}:\n${child.lines.slice(-20).join('\n')}`
  throw new Error(`${what}: not ${ended ? 'before the process ended' : `within ${timeoutMs} ms`} (${String(last)})${lines}`)
}
