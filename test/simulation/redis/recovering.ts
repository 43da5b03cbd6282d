// What a server remembers of recoveries, and the rule of when one is over: as `recover.lua` and `report.lua` have it.
import { RECOVER_MS } from '../../../src/limits.ts'

export class Recovering {
  epoch = '0'
  was = '0'
  began = 0
  isOn = false
  silent = 0
  server = ''
  #untilMs = 0
  #livingMs = 0
  readonly #beats = new Map<string, number>()
  readonly #reports = new Map<string, number>()

  /** When a holder was last heard, store time. */
  beat(holder: string, storeMs: number): void {
    this.#beats.set(holder, storeMs)
  }

  begin(begun: { server: string; nowMs: number; seq: number; livingMs: number; untilMs: number }): void {
    const { nowMs, seq, livingMs, untilMs } = begun
    this.server = begun.server
    this.was = this.epoch
    this.epoch = `${Math.max(Number.parseInt(this.epoch, 10) + 1, nowMs)}-${begun.server}`
    this.began = seq
    this.isOn = true
    this.#untilMs = untilMs
    this.#livingMs = livingMs
    this.#reports.clear()
  }

  /** A holder has told all. Answers whether the recovery is over with that. */
  report(holder: string, seq: number, clockMs: number): boolean {
    if (holder !== '') this.#reports.set(holder, seq)
    const living = [...this.#beats].filter(([, beatMs]) => beatMs >= this.#livingMs)
    const silent = living.filter(([one]) => !this.#reports.has(one)).length
    const leftMs = this.#untilMs - clockMs
    if (silent > 0 && leftMs > 0 && leftMs <= RECOVER_MS) return false
    this.silent = silent
    this.isOn = false
    return true
  }

  get highest(): number {
    return Math.max(0, ...this.#reports.values())
  }
}
