// A wall clock for other processes that the test turns while they run (libfaketime); their monotonic clocks go on as they are.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SCRIPT = join(import.meta.dirname, '../../scripts/libfaketime')

export class FakeClock {
  readonly #folder = mkdtempSync(join(tmpdir(), 'purser-clock-'))
  readonly #library = execFileSync(SCRIPT, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: 120_000 }).trim()
  #aheadMs = 0

  /** Ahead of this machine's clock by `aheadMs`, whole seconds. */
  constructor(aheadMs: number) {
    this.set(aheadMs)
  }

  /** The environment of a process that is to live by this clock. */
  get env(): Readonly<Record<string, string>> {
    return {
      // The C library comes before an allocator of the program's own: one that asks for the time at its start would wait for itself.
      LD_PRELOAD: `${this.#library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: join(this.#folder, 'offset'),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }

  get aheadMs(): number {
    return this.#aheadMs
  }

  /** What the clock shows. */
  nowMs(): number {
    return Date.now() + this.#aheadMs
  }

  /** Sets it, at once for all who live by it. */
  set(aheadMs: number): void {
    this.#aheadMs = aheadMs
    const [file, next] = [join(this.#folder, 'offset'), join(this.#folder, 'next')]
    writeFileSync(next, `${aheadMs < 0 ? '-' : '+'}${Math.abs(aheadMs) / 1_000}\n`)
    // Read at every look at the clock: never half written.
    renameSync(next, file)
  }

  turn(ms: number): void {
    this.set(this.#aheadMs + ms)
  }

  /** `pids`: of the processes that lived by it and are gone; each left what it kept in shared memory. */
  remove(pids: readonly (number | null)[]): void {
    rmSync(this.#folder, { recursive: true, force: true })
    for (const pid of pids) {
      rmSync(`/dev/shm/faketime_shm_${pid}`, { force: true })
      rmSync(`/dev/shm/sem.faketime_sem_${pid}`, { force: true })
    }
  }
}
