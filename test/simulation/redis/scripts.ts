// What each script does, over the model: keys and arguments are read as the Lua reads them, moved by the core's own law, and answered in
// rows. That the Lua does the same is what the suites of the one law hold, on a real server.
import { atTime, figures } from '../../../src/core/balance.ts'
import { ledgerOver, type ModelLedger } from '../../../src/core/ledger.ts'
import type { Holder, Line, ReassertMove, ReservationId, ReserveMove, SettleMove } from '../../../src/core/reservation.ts'
import type { Shelf } from '../../../src/core/shelf.ts'
import { openStep, raiseMark, type Step } from '../../../src/core/step.ts'
import { collect, expire } from '../../../src/core/sweep.ts'
import { LEDGER_RULES, RECOVER_MS } from '../../../src/limits.ts'
import { balanceName, type Keys, ledgerKeys, linesText, parseLinesText } from '../../../src/redis/keys.ts'
import type { Move as ScriptName } from '../../../src/redis/scripts.ts'
import type { Move, Outcome } from '../move.ts'
import type { Recovering } from './recovering.ts'
import { figuresText, plainRow, type Row, reserveRow, settleRow } from './rows.ts'

export const KEYS: Keys = ledgerKeys('simulated')

/** One run of a script, as it came, with the server's clock when it ran. */
export interface ScriptRun {
  readonly script: ScriptName
  readonly keys: readonly string[]
  readonly args: readonly string[]
  readonly storeClockMs: number
}

/** Where scripts run. `tell` is told of every move of the law within the step. */
export interface Place {
  readonly shelf: Shelf
  readonly recovering: Recovering
  tell(asked: Move, outcome: Outcome): void
}

export function runScript(place: Place, run: ScriptRun): unknown {
  return new ScriptStep(place, run).answer()
}

const FIXED = KEYS.fixed.length

class ScriptStep {
  readonly #place: Place
  readonly #run: ScriptRun
  readonly #time: { readonly storeClockMs: number; readonly callerWallMs: number }
  readonly #ledger: ModelLedger
  #at = 3

  constructor(place: Place, run: ScriptRun) {
    this.#place = place
    this.#run = run
    this.#ledger = ledgerOver(place.shelf, LEDGER_RULES)
    this.#time = { storeClockMs: run.storeClockMs, callerWallMs: Number(run.args[0]) }
    if (run.keys.slice(0, FIXED).join() !== KEYS.fixed.join()) throw new Error('a script is given the fixed keys first')
  }

  answer(): unknown {
    switch (this.#run.script) {
      case 'reserve':
        return this.#reserves()
      case 'settle':
        return this.#settles()
      case 'reassert':
        return this.#reasserts()
      case 'release':
        return this.#release()
      case 'beat':
        return this.#beat()
      case 'observe':
        return this.#observe()
      case 'look':
        return this.#look()
      case 'expire':
        return this.#expire()
      case 'collect':
        return this.#collect()
      case 'read':
        return this.#read()
      case 'adjust':
        return this.#adjust()
      case 'acknowledge':
        return this.#acknowledge()
      case 'recover':
        return this.#recover()
      case 'report':
        return this.#report()
      default:
        throw new Error(`the script ${this.#run.script} is not modelled`)
    }
  }

  #take(): string {
    const arg = this.#run.args[this.#at++]
    if (arg === undefined) throw new Error(`${this.#run.script} was given too few arguments`)
    return arg
  }

  #key(index: number): string {
    return this.#run.keys[FIXED + index] ?? ''
  }

  #tip(): Row {
    return ['tip', `${this.#place.shelf.meta().seq}`, this.#place.recovering.epoch]
  }

  /** Performs one move of the law, and tells of it. */
  #perform<T extends Outcome>(asked: Move, outcome: T): T {
    this.#place.tell(asked, outcome)
    return outcome
  }

  #reserves(): unknown {
    const count = Number(this.#take())
    const moves = Array.from({ length: count }, (): ReserveMove => {
      const [id, holder, deadlineMs, notAfterMs] = [this.#take(), this.#take(), Number(this.#take()), Number(this.#take())]
      const priceBook = decodeURIComponent(this.#take())
      const alternatives = Array.from({ length: Number(this.#take()) }, () => {
        const lines = parseLinesText(this.#take())
        if (Number(this.#take()) !== lines.length) throw new Error('a reserve tells how many lines it has')
        for (const line of lines) {
          const key = this.#key(count + Number(this.#take()))
          const { createdMs, generation, grantMs } = line.version
          const told = [this.#take(), this.#take(), this.#take(), this.#take()].join('/')
          const meant = [line.amount, line.limit, `${createdMs} ${generation} ${grantMs}`, line.hard ? '1' : '0'].join('/')
          if (key !== KEYS.balance(balanceName(line.key, line.window)) || told !== meant) throw new Error('a line is told twice, and alike')
        }
        return lines
      })
      return { id: id as ReservationId, holder: holder as Holder, alternatives, deadlineMs, notAfterMs, priceBook }
    })
    const rows = moves.map((move, index) => {
      if (this.#key(index) !== KEYS.record(move.id)) throw new Error('a reserve declares its record')
      const skewed = openStep(this.#place.shelf, LEDGER_RULES, this.#time)
      if (!('kind' in skewed) && this.#place.recovering.isOn) return ['recovering', `${skewed.nowMs}`]
      return reserveRow(move, this.#perform({ kind: 'reserve', move }, this.#ledger.reserve(move, this.#time)))
    })
    return [...rows, this.#tip()]
  }

  #settles(): unknown {
    const count = Number(this.#take())
    const moves = Array.from({ length: count }, (): { readonly move: SettleMove; readonly places: readonly string[] } => {
      const [id, holder, proven, arrears, how, response] = [
        this.#take(),
        this.#take(),
        this.#take(),
        this.#take(),
        this.#take(),
        this.#take(),
      ]
      const lines = parseLinesText(this.#take())
      const places = words(this.#take())
      const reserved = words(this.#take())
      const amounts = words(this.#take()).map(BigInt)
      const hard = this.#take()
      if (reserved.join() !== lines.map(line => line.amount).join()) throw new Error('a settlement tells what was reserved')
      if (hard !== lines.map(line => (line.hard ? '1' : '0')).join('')) throw new Error('a settlement tells which lines are hard')
      const move = { id: id as ReservationId, holder: holder as Holder, lines, amounts, proven: proven === '1', how }
      return { move: { ...move, ...(response === '' ? {} : { response }), ...(arrears === '1' ? { arrears: true } : {}) }, places }
    })
    const firstBalance = count + moves.filter(({ move }) => move.response !== undefined).length
    const rows = moves.map(({ move, places }, index) => {
      if (this.#key(index) !== KEYS.record(move.id)) throw new Error('a settlement declares its record')
      const keys = places.map(at => this.#key(firstBalance + Number(at)))
      const meant = move.lines.map(line => KEYS.balance(balanceName(line.key, line.window)))
      if (keys.join() !== meant.join()) throw new Error('a settlement declares the balances of its lines')
      return settleRow(this.#perform({ kind: 'settle', move }, this.#ledger.settle(move, this.#time)))
    })
    return [...rows, this.#tip()]
  }

  #reasserts(): unknown {
    const count = Number(this.#take())
    const rows = Array.from({ length: count }, (_, index) => {
      const [id, holder, deadlineMs, priceBook] = [this.#take(), this.#take(), Number(this.#take()), decodeURIComponent(this.#take())]
      const lines = parseLinesText(this.#take())
      if (this.#key(index) !== KEYS.record(id)) throw new Error('a re-assertion declares its record')
      const move: ReassertMove = { id: id as ReservationId, holder: holder as Holder, lines, deadlineMs, priceBook }
      return plainRow(this.#perform({ kind: 'reassert', move }, this.#ledger.reassert(move, this.#time)))
    })
    return [...rows, this.#tip()]
  }

  #release(): unknown {
    const [id, holder, how] = [this.#take() as ReservationId, this.#take() as Holder, this.#take()]
    const record = this.#place.shelf.record(id)
    const lines = record?.lines ?? []
    const isSkewed = 'kind' in openStep(this.#place.shelf, LEDGER_RULES, this.#time)
    const moves = ['open', 'expired', 'settled-unproven'].includes(record?.state ?? '')
    if (!isSkewed && moves && !this.#declares(lines)) return ['changed', linesText(lines)]
    const move = { id, holder, lines, how }
    const row = plainRow(this.#perform({ kind: 'release', move }, this.#ledger.release(move, this.#time)))
    return [...row, ...this.#tip().slice(1)]
  }

  /** It asks for the balances before it says what else is wrong: the caller comes back with them, and learns that then. */
  #adjust(): unknown {
    const [adjustId, id, actual, how] = [this.#take(), this.#take() as ReservationId, BigInt(this.#take()), this.#take()]
    const record = this.#place.shelf.record(id)
    const isSkewed = 'kind' in openStep(this.#place.shelf, LEDGER_RULES, this.#time)
    if (!isSkewed && record !== null && !this.#declares(record.lines)) return ['changed', linesText(record.lines)]
    const move = { adjustId, id, actual, reason: how.slice(adjustId.length + 1) }
    return plainRow(this.#perform({ kind: 'adjust', move }, this.#ledger.adjust(move, this.#time)))
  }

  #acknowledge(): unknown {
    const seq = Number(this.#take())
    const outcome = this.#perform({ kind: 'acknowledge', seq }, this.#ledger.acknowledge(seq, this.#time))
    return outcome.kind === 'acknowledged' ? [...plainRow(outcome), `${outcome.seq}`] : plainRow(outcome)
  }

  #declares(lines: readonly Line[]): boolean {
    const declared = new Set(this.#run.keys)
    return lines.every(line => declared.has(KEYS.balance(balanceName(line.key, line.window))))
  }

  #beat(): unknown {
    const holder = this.#take() as Holder
    const outcome = this.#perform({ kind: 'beat', move: holder }, this.#ledger.beat(holder, this.#time))
    return outcome.kind === 'beating' ? [...plainRow(outcome), ...this.#tip().slice(1)] : plainRow(outcome)
  }

  #observe(): unknown {
    const holder = this.#take() as Holder
    const count = Number(this.#take())
    const progress = Array.from({ length: count }, (_, index) => ({
      id: this.#key(index).slice(KEYS.record('').length) as ReservationId,
      amounts: words(this.#take()).map(BigInt),
    }))
    const move = { holder, progress }
    const outcome = this.#perform({ kind: 'observe', move }, this.#ledger.observe(move, this.#time))
    return outcome.kind === 'observed' ? [...plainRow(outcome), `${outcome.observed}`] : plainRow(outcome)
  }

  /** The step of a move that is no move of the law, or the row that refuses it. */
  #step(): Step | Row {
    const step = openStep(this.#place.shelf, LEDGER_RULES, this.#time)
    if ('kind' in step) return plainRow(step)
    raiseMark(step)
    return step
  }

  #look(): unknown {
    const step = this.#step()
    if (!('shelf' in step)) return step
    const { shelf, recovering } = this.#place
    const most = Number(this.#take())
    const silentSince = step.nowMs - LEDGER_RULES.holderStaleMs
    const beatBefore = shelf.meta().resumedMs < silentSince ? silentSince : Number.NEGATIVE_INFINITY
    const overdue = recovering.isOn ? [] : shelf.overdue(step.nowMs, beatBefore, most).map(({ id }) => id)
    shelf.dropHolders(step.nowMs - LEDGER_RULES.retainUnprovenMs)
    this.#tellSwept(step)
    return ['looked', `${step.nowMs}`, overdue, shelf.collectable(step.nowMs, most), shelf.outlived(step.nowMs, most), ...this.#alarms()]
  }

  #alarms(): Row {
    const { shelf } = this.#place
    const { contested, exportedSeq, seq } = shelf.meta()
    const firstSeq = shelf.entries(0, 1)[0]?.seq ?? seq + 1
    return [`${contested}`, `${exportedSeq === null ? 0 : Math.max(0, firstSeq - 1 - exportedSeq)}`]
  }

  /** The steps of a sweep are moves of the law without an outcome of their own. */
  #tellSwept({ nowMs }: Step): void {
    const swept = { kind: 'swept', expired: 0, collected: 0, more: false, contested: 0, unexported: 0, storeMs: nowMs } as const
    this.#place.tell({ kind: 'sweep' }, swept)
  }

  #expire(): unknown {
    const step = this.#step()
    if (!('shelf' in step)) return step
    const { shelf, recovering } = this.#place
    const count = Number(this.#take())
    const silentSince = step.nowMs - LEDGER_RULES.holderStaleMs
    const beatBefore = shelf.meta().resumedMs < silentSince ? silentSince : Number.NEGATIVE_INFINITY
    const overdue = new Set(shelf.overdue(step.nowMs, recovering.isOn ? Number.NEGATIVE_INFINITY : beatBefore, 1_000).map(({ id }) => id))
    const told = Array.from({ length: count }, () => {
      const id = this.#take() as ReservationId
      const record = shelf.record(id)
      if (record === null || record.state !== 'open' || !overdue.has(id)) return 'gone'
      if (!this.#declares(record.lines)) return 'changed'
      expire(step, record, record.deadlineMs < step.nowMs ? 'deadline' : 'holder')
      return 'expired'
    })
    this.#tellSwept(step)
    return ['swept', `${step.nowMs}`, ...told]
  }

  #collect(): unknown {
    const step = this.#step()
    if (!('shelf' in step)) return step
    const { shelf } = this.#place
    const ids = Array.from({ length: Number(this.#take()) }, () => this.#take() as ReservationId)
    const responses = ids.map(() => this.#take()).filter(response => response !== '')
    const due = new Set(shelf.collectable(step.nowMs, 1_000))
    const names = this.#run.keys.slice(FIXED + ids.length + responses.length).map(key => key.slice(KEYS.meta.length - 'meta'.length + 2))
    const final = names.filter(name => due.has(name))
    for (const name of final) collect(step, name)
    const outlived = new Set(shelf.outlived(step.nowMs, 1_000))
    const forgotten = ids.filter(id => outlived.has(id))
    for (const id of forgotten) shelf.dropRecord(id)
    this.#tellSwept(step)
    return ['swept', `${step.nowMs}`, `${final.length}`, `${forgotten.length}`, ...this.#alarms()]
  }

  #read(): unknown {
    const { shelf } = this.#place
    const nowMs = Math.max(this.#time.storeClockMs, shelf.meta().markMs)
    const told = this.#run.keys.slice(FIXED).map(key => {
      const stored = shelf.balance(key.slice(KEYS.meta.length - 'meta'.length + 2))
      return stored === null ? '' : figuresText(figures(atTime(stored, nowMs)))
    })
    return [`${nowMs}`, `${shelf.meta().seq}`, ...told]
  }

  #recover(): unknown {
    const step = openStep(this.#place.shelf, LEDGER_RULES, this.#time)
    if ('kind' in step) return plainRow(step)
    const { recovering, shelf } = this.#place
    const [found, wish, server] = [this.#take(), this.#take(), this.#take()]
    const isInherited = recovering.isOn && recovering.server !== server
    if (isInherited || !recovering.isOn) {
      if (!isInherited && (recovering.epoch !== found || wish === 'join')) return ['moved', `${step.nowMs}`]
      const { markMs, seq } = shelf.meta()
      recovering.begin({
        server,
        nowMs: step.nowMs,
        seq,
        livingMs: markMs - LEDGER_RULES.holderStaleMs,
        untilMs: this.#time.storeClockMs + RECOVER_MS,
      })
      raiseMark(step)
      this.#tellSwept(step)
    }
    return ['recovering', `${step.nowMs}`, recovering.epoch, recovering.was, `${recovering.began}`]
  }

  #report(): unknown {
    const step = openStep(this.#place.shelf, LEDGER_RULES, this.#time)
    if ('kind' in step) return plainRow(step)
    const { recovering, shelf } = this.#place
    const [holder, seq] = [this.#take(), Number(this.#take())]
    if (recovering.isOn) {
      if (!recovering.report(holder, seq, this.#time.storeClockMs)) return ['waiting', `${step.nowMs}`]
      shelf.putMeta({ ...shelf.meta(), resumedMs: step.nowMs, markMs: step.nowMs })
      this.#tellSwept(step)
    }
    return ['over', `${step.nowMs}`, `${recovering.highest}`, `${recovering.silent}`]
  }
}

const words = (text: string): string[] => (text === '' ? [] : text.split(' '))
