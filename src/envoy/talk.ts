// Our side of one gRPC stream of ext_proc: it writes replies and ends once, well or badly. Knows no order of messages.
import type { HeaderChange } from '../enforcer/exchange.ts'
import { NO_CHANGE } from '../enforcer/exchange.ts'
import type { Call, Doorway } from './doorway.ts'
import type { Reply } from './protos.ts'
import { changedReply, type Part, unchanged } from './reply.ts'

export class Talk {
  /** The proxy only shows what passes, and takes no reply. */
  observed = false
  readonly #call: Call
  readonly #door: Doorway
  readonly #ended: () => void
  #over = false

  /** `ended` is called once, when nothing is said any more, however that came about. */
  constructor(call: Call, door: Doorway, ended: () => void) {
    this.#call = call
    this.#door = door
    this.#ended = ended
    // Any of these may be missing, in any order; none of them tells why.
    for (const event of ['cancelled', 'close', 'error'] as const) call.on(event, () => this.finish())
    call.on('end', () => this.leave())
  }

  get over(): boolean {
    return this.#over
  }

  reply(reply: Reply): void {
    if (!this.observed) this.#call.write(reply)
  }

  goOn(part: Part, change: HeaderChange = NO_CHANGE): void {
    this.reply(unchanged(change) ? this.#door.goOn[part] : changedReply(part, change, null))
  }

  /** Ends the stream well: the proxy goes on without us. */
  leave(): void {
    const over = this.#over
    this.finish()
    if (!over) this.#call.end()
  }

  /** Ends the stream badly: the proxy fails the call, or cuts the answer. */
  break(code: number, details: string): void {
    if (this.#over) return
    this.finish()
    this.#call.emit('error', Object.assign(new Error(details), { code, details }))
  }

  finish(): void {
    if (this.#over) return
    this.#over = true
    this.#ended()
  }
}
