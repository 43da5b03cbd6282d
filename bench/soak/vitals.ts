// What the processes of the soak take up, sampled, and whether it stayed flat: memory and open files of Purser, Envoy and Redis.
import { readdirSync, readFileSync } from 'node:fs'

export interface Vitals {
  readonly atMs: number
  /** Resident memory, MB. */
  readonly mb: number
  /** Open files, sockets among them. */
  readonly files: number
}

export function vitalsOf(pid: number): Vitals {
  const kb = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN)
  return { atMs: performance.now(), mb: kb / 1_024, files: readdirSync(`/proc/${pid}/fd`).length }
}

/** Samples of one process over the steady part. */
export class Course {
  readonly name: string
  readonly #pid: () => number
  readonly #samples: Vitals[] = []

  constructor(name: string, pid: () => number) {
    this.name = name
    this.#pid = pid
  }

  sample(): Vitals {
    const vitals = vitalsOf(this.#pid())
    this.#samples.push(vitals)
    return vitals
  }

  /**
   * The means of the second and of the last fifth: the first one warms up. Null for fewer than ten samples, which show nothing. Memory may
   * vary by a quarter and 48 MB, a garbage collector being what it is, and files by the connections of a moment.
   */
  verdict(): { readonly from: Vitals; readonly to: Vitals; readonly flat: boolean } | null {
    const { length } = this.#samples
    if (length < 10) return null
    const fifth = Math.floor(length / 5)
    const [from, to] = [mean(this.#samples.slice(fifth, 2 * fifth)), mean(this.#samples.slice(-fifth))]
    return { from, to, flat: to.mb <= from.mb * 1.25 + 48 && to.files <= from.files * 1.25 + 50 }
  }
}

function mean(samples: readonly Vitals[]): Vitals {
  const of = (pick: (vitals: Vitals) => number): number => samples.reduce((sum, one) => sum + pick(one), 0) / samples.length
  return { atMs: of(({ atMs }) => atMs), mb: of(({ mb }) => mb), files: of(({ files }) => files) }
}
