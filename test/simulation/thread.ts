// A thread that runs seeds, with a bug planted or without. The bug is put into the source as it is loaded: nobody else sees it, and no
// file is touched.
import { registerHooks } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { Bug } from './bugs.ts'
import type { Result } from './run.ts'

export interface Asked {
  readonly bug: Bug | null
  /** Runs `seed`, `seed + step`, and so on, before `end`, until one finds something. */
  readonly seed: number
  readonly end: number
  readonly step: number
}

/** Of each seed that was run, its result; after the last how often the place of the bug was found in the source. */
export type Told = { readonly kind: 'ran'; readonly result: Omit<Result, 'trace'> } | { readonly kind: 'end'; readonly places: number }

const { bug, seed: first, end, step } = workerData as Asked
let places = bug === null ? 1 : 0
registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)
    if (bug === null || !url.endsWith(`/src/${bug.file}`)) return loaded
    const parts = String(loaded.source).split(bug.from)
    places = parts.length - 1
    return { ...loaded, source: parts.join(bug.to) }
  },
})

const { runSeed } = await import('./run.ts')
const tell = (told: Told): void => parentPort?.postMessage(told)
for (let seed = first; seed < end && places === 1; seed += step) {
  const { trace, ...result } = await runSeed(seed)
  tell({ kind: 'ran', result })
  if (result.violation !== null) break
}
tell({ kind: 'end', places })
