// Child processes of a test: started, watched line by line, ended, and never left behind, even when the test runner is killed.
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'

export interface Child {
  readonly name: string
  readonly pid: number
  /** The last 400 lines of both outputs: what a failing test shows. */
  readonly lines: readonly string[]
  /** Resolves with the first line (past ones included) that satisfies `wanted`; rejects when the process ends before, or after `timeoutMs`. */
  line(wanted: (line: string) => boolean, timeoutMs: number): Promise<string>
  /** Sends a signal and resolves with the exit code, or the name of the signal that ended it. */
  end(signal: NodeJS.Signals, timeoutMs?: number): Promise<number | string>
  readonly exited: Promise<number | string>
}

const LINES_KEPT = 400
const running = new Map<number, ChildProcess>()

/** Starts a program; it is killed with the test process at the latest. */
export function startChild(name: string, command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
  const process_ = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const listeners = new Set<(line: string | null) => void>()
  let ended: number | string | null = null
  const exited = new Promise<number | string>(resolve => {
    process_.once('error', error => finish(`could not be started: ${error.message}`))
    process_.once('close', (code, signal) => finish(code ?? signal ?? 'unknown'))
    function finish(outcome: number | string): void {
      if (ended !== null) return
      ended = outcome
      if (process_.pid !== undefined) forget(process_.pid)
      for (const listener of listeners) listener(null)
      resolve(outcome)
    }
  })
  for (const stream of [process_.stdout, process_.stderr]) {
    createInterface({ input: stream }).on('line', line => {
      lines.push(line)
      if (lines.length > LINES_KEPT) lines.shift()
      for (const listener of listeners) listener(line)
    })
  }
  const pid = process_.pid ?? -1
  if (pid > 0) remember(pid, process_)

  return {
    name,
    pid,
    lines,
    exited,
    line(wanted, timeoutMs) {
      const past = lines.find(wanted)
      if (past !== undefined) return Promise.resolve(past)
      return new Promise((resolve, reject) => {
        const story = (what: string): Error => new Error(`${name} ${what}; its last lines:\n${lines.slice(-20).join('\n')}`)
        const timer = setTimeout(() => settle(() => reject(story(`did not say what was waited for in ${timeoutMs} ms`))), timeoutMs)
        const listener = (line: string | null): void => {
          if (line === null) settle(() => reject(story(`ended (${ended}) too early`)))
          else if (wanted(line)) settle(() => resolve(line))
        }
        const settle = (then: () => void): void => {
          clearTimeout(timer)
          listeners.delete(listener)
          then()
        }
        if (ended !== null) settle(() => reject(story(`ended (${ended}) too early`)))
        else listeners.add(listener)
      })
    },
    async end(signal, timeoutMs = 70_000) {
      if (ended === null) process_.kill(signal)
      const timer = setTimeout(() => process_.kill('SIGKILL'), timeoutMs)
      try {
        return await exited
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

/**
 * A port that is free now, outside the range from which the kernel takes ports for outgoing connections: nobody gets it by chance
 * between this look and its use.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (!taken.has(port) && (await isFree(port))) {
      taken.add(port)
      return port
    }
  }
  throw new Error('no free port between 20000 and 32000')
}
const taken = new Set<number>()

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** A shell of its own session that kills what is still running when our end of its pipe closes, however we ended. */
const WATCHDOG = `pids=' '
while read -r sign pid; do
  case $sign$pids in
    +*) pids="$pids$pid " ;;
    -*" $pid "*) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
kill -9 $pids 2>/dev/null`
let watchdog: ChildProcess | null = null

function remember(pid: number, child: ChildProcess): void {
  if (watchdog === null) {
    watchdog = spawn('/bin/sh', ['-c', WATCHDOG], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    watchdog.unref()
    ;(watchdog.stdin as unknown as { unref(): void }).unref()
  }
  watchdog.stdin?.write(`+ ${pid}\n`)
  running.set(pid, child)
}

function forget(pid: number): void {
  running.delete(pid)
  watchdog?.stdin?.write(`- ${pid}\n`)
}
