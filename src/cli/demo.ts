// Starts the demo of a checkout (`demo/main.ts`) as a process of its own, and waits until it has cleaned up. An image has no demo.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const PROGRAM = join(import.meta.dirname, '../../demo/main.ts')

/** The demo's exit code; 130 where a signal ended it before it could answer. */
export async function demo(args: readonly string[]): Promise<number> {
  if (!existsSync(PROGRAM)) throw new Error('the demo runs from a checkout of the project: clone it, then make demo')
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'inherit' })
  // Ctrl-C reaches the demo by itself, and it cleans up; the signals of a supervisor are passed on.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 130
}
