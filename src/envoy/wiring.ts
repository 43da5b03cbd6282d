// What is wrong with how a proxy is set up, told by its messages: one sentence for the operator each. It reads no content.
import { WARN_EVERY_MS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { ProcessingRequest } from './protos.ts'

/** Where the door complains. No content, no header's value, no key ever goes here. */
export interface DoorLog {
  warn(message: string): void
  error(message: string, fault: unknown): void
}

/** Why calls cannot be metered as the filter is set up; null where they can, or where the proxy does not tell (an observing filter). */
export function unusableModes(config: ProcessingRequest['protocolConfig']): string | null {
  if (config === undefined) return null
  const request = config.requestBodyMode ?? 'NONE'
  const response = config.responseBodyMode ?? 'NONE'
  if (request !== 'BUFFERED')
    return `The ext_proc filter has request_body_mode ${request}: it must be BUFFERED, so that no call leaves before its verdict.`
  if (response !== 'STREAMED')
    return `The ext_proc filter has response_body_mode ${response}: it must be STREAMED, so that answers are metered as they pass.`
  return null
}

/** Logs each sentence at most once in ten seconds: a wrong wiring is wrong on every request. */
export class Complaints {
  readonly #log: DoorLog
  readonly #clock: Clock
  readonly #last = new Map<string, number>()

  constructor(log: DoorLog, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** `sentence` is one of the program's own, so that the memory of them stays small. */
  warn(sentence: string): void {
    const now = this.#clock.monotonicMs()
    const last = this.#last.get(sentence)
    if (last !== undefined && now - last < WARN_EVERY_MS) return
    this.#last.set(sentence, now)
    this.#log.warn(sentence)
  }

  error(sentence: string, fault: unknown): void {
    this.#log.error(sentence, fault)
  }
}
