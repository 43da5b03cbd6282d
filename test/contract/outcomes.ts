// Every outcome of the port by its name, and a ledger that notes which ones it gave: what a suite never reaches, it does not hold.
import type { Ledger } from '../../src/ports.ts'

type Asked = Exclude<keyof Ledger, 'close'>
type Kind<Method extends Asked> = Awaited<ReturnType<Ledger[Method]>>['kind']
/** A read brings nothing with it that a clock could spoil, so it never answers `clock-skew`. */
type Reads = 'read' | 'list' | 'reservations' | 'entries' | 'find' | 'findByResponse'

const READ = { read: true, unavailable: true } as const
const FAULTS = { 'clock-skew': true, unavailable: true } as const

/** The compiler holds that no outcome is left out; the suite, that each is reached. */
const OUTCOMES: { readonly [Method in Asked]: Readonly<Record<Exclude<Kind<Method>, Method extends Reads ? 'clock-skew' : never>, true>> } =
  {
    reserve: {
      reserved: true,
      refused: true,
      exists: true,
      'exists-different': true,
      tombstoned: true,
      'window-stale': true,
      'too-late': true,
      'too-many-limits': true,
      'out-of-bounds': true,
      ...FAULTS,
    },
    settle: {
      settled: true,
      'settled-over': true,
      'already-settled': true,
      'settled-late': true,
      raised: true,
      conflict: true,
      reasserted: true,
      arrears: true,
      forgotten: true,
      'out-of-bounds': true,
      ...FAULTS,
    },
    release: { released: true, 'already-released': true, 'already-settled': true, 'settled-late': true, tombstoned: true, ...FAULTS },
    beat: { beating: true, ...FAULTS },
    observe: { observed: true, 'out-of-bounds': true, ...FAULTS },
    adjust: {
      adjusted: true,
      'already-adjusted': true,
      'still-open': true,
      'not-in-suspense': true,
      forgotten: true,
      'no-money': true,
      'out-of-bounds': true,
      ...FAULTS,
    },
    sweep: { swept: true, ...FAULTS },
    acknowledge: { acknowledged: true, ...FAULTS },
    read: READ,
    list: READ,
    reservations: READ,
    entries: READ,
    find: READ,
    findByResponse: READ,
  }

/** `method: kind` of every outcome. */
export const ALL_OUTCOMES: readonly string[] = Object.entries(OUTCOMES).flatMap(([method, kinds]) =>
  Object.keys(kinds).map(kind => `${method}: ${kind}`),
)

/** The same ledger, which notes what it answers in `seen`. */
export function noting(ledger: Ledger, seen: Set<string>): Ledger {
  const note = async <Outcome extends { readonly kind: string }>(method: Asked, asked: Promise<Outcome>): Promise<Outcome> => {
    const outcome = await asked
    seen.add(`${method}: ${outcome.kind}`)
    return outcome
  }
  return {
    reserve: move => note('reserve', ledger.reserve(move)),
    settle: move => note('settle', ledger.settle(move)),
    release: move => note('release', ledger.release(move)),
    beat: holder => note('beat', ledger.beat(holder)),
    observe: move => note('observe', ledger.observe(move)),
    adjust: move => note('adjust', ledger.adjust(move)),
    sweep: () => note('sweep', ledger.sweep()),
    acknowledge: seq => note('acknowledge', ledger.acknowledge(seq)),
    read: lines => note('read', ledger.read(lines)),
    list: query => note('list', ledger.list(query)),
    reservations: query => note('reservations', ledger.reservations(query)),
    entries: query => note('entries', ledger.entries(query)),
    find: id => note('find', ledger.find(id)),
    findByResponse: response => note('findByResponse', ledger.findByResponse(response)),
    close: () => ledger.close(),
  }
}
