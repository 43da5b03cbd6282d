// What is wrong with how a proxy is set up, told by its messages: one sentence for the operator each. It reads no content.
import { WARN_EVERY_MS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { ProcessingRequest } from './protos.ts'

/** Where the door complains. No content, no header's value, no key ever goes here. */
export interface DoorLog {
  warn(message: string): void
  error(message: string, fault: unknown): void
}

/** How bodies come: `whole` in one message · `metered` as they pass · `duplex` in pieces that go on only from us · `unseen` not at all. */
export interface Modes {
  readonly request: 'whole' | 'duplex'
  readonly response: 'metered' | 'duplex' | 'unseen'
}

type Config = ProcessingRequest['protocolConfig']

/** How bodies come where calls can be judged so, else why they cannot. A proxy that does not tell (an observing filter) has the usual modes. */
export function modesOf(config: Config): Modes | string {
  const request = config === undefined ? 'BUFFERED' : (config.requestBodyMode ?? 'NONE')
  const response = config === undefined ? 'STREAMED' : (config.responseBodyMode ?? 'NONE')
  if (request !== 'BUFFERED' && request !== 'FULL_DUPLEX_STREAMED')
    return `The ext_proc filter has request_body_mode ${request}: it must be BUFFERED, so that no call leaves before its verdict.`
  if (response !== 'STREAMED' && response !== 'NONE' && response !== 'FULL_DUPLEX_STREAMED')
    return `The ext_proc filter has response_body_mode ${response}: it must be STREAMED, so that answers are metered as they pass.`
  return { request: request === 'BUFFERED' ? 'whole' : 'duplex', response: response === 'NONE' ? 'unseen' : answerMode(config) }
}

/** How an answer's body comes to whoever is shown it. */
export const answerMode = (config: Config): 'metered' | 'duplex' =>
  config?.responseBodyMode === 'FULL_DUPLEX_STREAMED' ? 'duplex' : 'metered'

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
