// `ledger export`: the stream's entries as events, one a line, acknowledged once they are written out. Changes nothing else.
import { setTimeout as pause } from 'node:timers/promises'
import { ConfigError } from '../config/values.ts'
import { type Flag, flagLines, LEDGER_FLAGS, type LedgerPlace, parseLedgerCommand } from '../config.ts'
import type { AcknowledgeOutcome, LedgerFault } from '../core/reservation.ts'
import type { LedgerEntry, LedgerReader } from '../ports.ts'
import { ledgerEvent } from './ledger-event.ts'
import { faultWords } from './ledger-fault.ts'
import { isFile, type LedgerTools } from './ledger-tools.ts'

const FLAGS: Readonly<Record<string, Flag>> = {
  since: {
    type: 'string',
    value: '',
    help: 'the last entry that you have: a number, start for none, or acknowledged (Redis: the default; SQLite: start is)',
  },
  follow: { type: 'boolean', value: '', help: 'go on with entries as they come, until Ctrl-C' },
}

export const EXPORT_HELP: string = `purser ledger export [--since SEQ|start|acknowledged] [--follow] [--ledger ADDRESS] [--ledger-name NAME]

Writes the entries of a ledger's stream to stdout, one a line, as CloudEvents 1.0 in JSON. In Redis, entries that were written out are
acknowledged: the stream keeps the others for longer. A file of SQLite is only read, and keeps its entries for 35 days.

${flagLines({ ...FLAGS, ...LEDGER_FLAGS })}
Each flag has a twin in the environment: --ledger is PURSER_LEDGER.

Exit code 0, 1 where the ledger or the output failed, 2 for a wrong flag, 3 where entries were cut from the stream before they were
exported, 130 after Ctrl-C.
`

/** A ledger to export from; `acknowledge` is null where nobody waits for it. */
interface ExportedLedger {
  readonly reader: LedgerReader
  readonly acknowledge: ((seq: number) => Promise<AcknowledgeOutcome>) | null
}

const ENTRIES_AT_ONCE = 500
const POLL_MS = 500

/** Answers the exit code. */
export async function exportLedger(args: readonly string[], tools: LedgerTools): Promise<number> {
  const { place, flag, positionals } = parseLedgerCommand('ledger export', FLAGS, args, tools.env)
  if (positionals.length > 0) throw new ConfigError(`'${positionals[0]}' is not a flag; see 'purser ledger export --help'`)
  const since = flag('since')
  if (!/^(\d{1,15}|start|acknowledged|)$/.test(since)) throw new ConfigError(`--since ${since}: allowed: a number, start or acknowledged`)
  if (isFile(place) && since === 'acknowledged')
    throw new ConfigError('--since acknowledged: nothing is acknowledged in SQLite; allowed: a number or start')
  const ledger = await open(place, tools)
  try {
    return await new Export(ledger, place.ledgerName, tools, flag('follow') === 'true').run(since)
  } finally {
    await ledger.reader.close()
  }
}

async function open(place: LedgerPlace, tools: LedgerTools): Promise<ExportedLedger> {
  if (isFile(place)) return { reader: await tools.openReader(place), acknowledge: null }
  const ledger = await tools.openLedger(place)
  return { reader: ledger, acknowledge: seq => ledger.acknowledge(seq) }
}

class Export {
  readonly #ledger: ExportedLedger
  readonly #name: string
  readonly #tools: LedgerTools
  readonly #follow: boolean
  #seq = 0
  #acknowledged = 0
  #count = 0
  #hasGap = false
  /** What was last said to be wrong: it is said once, however long it lasts. */
  #trouble = ''

  constructor(ledger: ExportedLedger, name: string, tools: LedgerTools, follow: boolean) {
    this.#ledger = ledger
    this.#name = name
    this.#tools = tools
    this.#follow = follow
  }

  async run(since: string): Promise<number> {
    const begun = await this.#begin(since)
    if (begun !== null) return this.#failed(begun)
    // Who asks for the start takes the stream as it is.
    let isStart = since === 'start' || (since === '' && this.#ledger.acknowledge === null)
    for (;;) {
      const page = await this.#ledger.reader.entries({ afterSeq: this.#seq, count: ENTRIES_AT_ONCE })
      if (page.kind === 'read' && page.seq < this.#seq)
        throw new ConfigError(`--since ${this.#seq}: the last entry of this ledger is ${page.seq}`)
      if (page.kind === 'read' && page.value.length > 0) {
        if (!isStart) this.#noteGap(page.value)
        isStart = false
        if (!(await this.#write(page.value))) return 1
      }
      const fault = page.kind === 'read' ? await this.#acknowledge() : page
      if (fault !== null && !this.#follow) return this.#failed(fault)
      if (this.#tools.signal.aborted) return this.#ended(this.#follow ? 0 : 130)
      if (page.kind === 'read' && page.value.length > 0) continue
      if (!this.#follow) return this.#ended(0)
      this.#say(fault === null ? '' : `${faultWords(fault)}; trying again`)
      await pause(POLL_MS, undefined, { signal: this.#tools.signal }).catch(() => {})
    }
  }

  /** Finds where to go on; in Redis, entries wait for us from now on. */
  async #begin(since: string): Promise<LedgerFault | null> {
    const { acknowledge } = this.#ledger
    if (/^\d/.test(since)) this.#seq = Number(since)
    if (acknowledge === null) return null
    const outcome = await acknowledge(0)
    if (outcome.kind !== 'acknowledged') return outcome
    this.#acknowledged = outcome.seq
    if (since === '' || since === 'acknowledged') this.#seq = outcome.seq
    return null
  }

  /** Whether the page is with the operating system. */
  async #write(entries: readonly LedgerEntry[]): Promise<boolean> {
    const text = entries.map(entry => `${JSON.stringify(ledgerEvent(this.#name, entry))}\n`).join('')
    try {
      await this.#tools.write(text)
    } catch (fault) {
      const code = fault instanceof Error && 'code' in fault ? fault.code : fault
      this.#tools.err.write(`the output was closed (${code}): everything up to entry ${this.#seq} was written\n`)
      return false
    }
    this.#seq = entries.at(-1)?.seq ?? this.#seq
    this.#count += entries.length
    return true
  }

  async #acknowledge(): Promise<LedgerFault | null> {
    const { acknowledge } = this.#ledger
    if (acknowledge === null || this.#acknowledged >= this.#seq) return null
    const outcome = await acknowledge(this.#seq)
    if (outcome.kind !== 'acknowledged') return outcome
    this.#acknowledged = outcome.seq
    return null
  }

  #noteGap(entries: readonly LedgerEntry[]): void {
    let last = this.#seq
    for (const { seq } of entries) {
      if (seq > last + 1) {
        this.#hasGap = true
        this.#tools.err.write(`entries ${last + 1} to ${seq - 1} are missing: they were cut from the stream before they were exported\n`)
      }
      last = seq
    }
  }

  #say(trouble: string): void {
    if (trouble !== this.#trouble && trouble !== '') this.#tools.err.write(`${trouble}\n`)
    this.#trouble = trouble
  }

  #failed(fault: LedgerFault): number {
    this.#tools.err.write(`purser: ${faultWords(fault)}\n`)
    this.#ended(1)
    return 1
  }

  #ended(code: number): number {
    const { acknowledge } = this.#ledger
    const how =
      acknowledge === null
        ? `SQLite is only read, nothing is acknowledged: go on with --since ${this.#seq}`
        : `acknowledged up to entry ${this.#acknowledged}`
    this.#tools.err.write(`${this.#count} entries exported, the last is ${this.#seq}; ${how}\n`)
    return code === 0 && this.#hasGap ? 3 : code
  }
}
