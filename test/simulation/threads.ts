// Runs seeds on threads of their own and hands over their results as they come.
import { Worker } from 'node:worker_threads'
import type { Result } from './run.ts'
import type { Asked, Told } from './thread.ts'

export type Ran = Omit<Result, 'trace'>

/** Answers how often the place of the bug was found; `ran` may stop the thread by answering `stop`. */
export function runThread(asked: Asked, ran: (result: Ran) => 'go on' | 'stop'): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('thread.ts', import.meta.url), { workerData: asked })
    worker.on('message', (told: Told) => {
      if (told.kind === 'end') resolve(told.places)
      else if (ran(told.result) === 'stop') {
        resolve(1)
        void worker.terminate()
      }
    })
    worker.on('error', reject)
  })
}
