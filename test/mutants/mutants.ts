// Hand-made mutants of the ledger's law: one wrong word each, in the scripts, the core and the enforcer. The suites must kill every one.

export interface Mutant {
  /** What it does wrong, as one would say it. */
  readonly does: string
  readonly file: string
  /** There exactly once in the file. */
  readonly from: string
  readonly to: string
  /** Suites that must fail. */
  readonly tests: readonly string[]
}

const REDIS = ['test/redis/contract.test.ts', 'test/redis/one-law.test.ts', 'test/redis/scripts.test.ts']
const RECOVERY = ['test/redis/recovery.test.ts']
const CORE = ['test/memory/ledger.test.ts', 'test/core/ledger.test.ts', 'test/core/ledger-sliding.test.ts']
const ENFORCER = ['test/enforcer']

const of =
  (folder: string, tests: readonly string[]) =>
  (file: string, does: string, from: string, to: string): Mutant => ({ does, file: `${folder}/${file}`, from, to, tests })
const lua = of('src/redis/lua', REDIS)
const recovery = of('src/redis', RECOVERY)
const core = of('src/core', CORE)
const enforcer = of('src/enforcer', ENFORCER)

/** What the sweep's first step proposes, its second judges anew: a fault in one of them alone changes nothing, and is not planted. */
export const MUTANTS: readonly Mutant[] = [
  lua('reserve.lua', 'admits what does not fit', 'not atLeast(presented.avl, line.amount)', 'false'),
  lua('prelude.lua', 'refuses what just fits', 'return tonumber(a) >= tonumber(b)', 'return tonumber(a) > tonumber(b)'),
  lua('reserve.lua', 'admits a reserve that is too late', 'if now > request.notAfter then', 'if false then'),
  lua('reserve.lua', 'admits into a window that is over', 'if isStale(request) then', 'if false then'),
  lua('reserve.lua', 'takes the end of a window for part of it', 'now >= balance.ends', 'now > balance.ends'),
  lua('reserve.lua', 'reserves the same id twice', 'return repeated(record, request)', 'record = nil'),
  lua(
    'reserve.lua',
    'forgets a tombstone',
    "if record.state == 'tombstone' then\n    return { 'tombstoned', nowText }",
    "if record.state == 'tombstone' then\n    return nil",
  ),
  lua('reserve.lua', 'lets soft lines refuse', "line.hard and line.amount ~= '0'", "line.amount ~= '0'"),
  lua(
    'reserve.lua',
    'keeps a reservation open for longer than an hour',
    'math.min(request.deadline, now + DEADLINE_MS)',
    'request.deadline',
  ),
  lua('reserve.lua', 'names the wrong alternative', 'admit(request, a - 1,', 'admit(request, 0,'),
  lua('reserve.lua', 'loses a newer limit that a refusal brings', 'noteLimits(request)\n  return refusal', 'return refusal'),
  lua(
    'charges.lua',
    'uses a reply of HINCRBY',
    "local v = call('HMGET', key, 'avl', 'rsv', 'spt')",
    "local v = call('HMGET', key, 'avl', 'rsv', 'spt')\n  v[1] = int(call('HINCRBY', key, 'avl', '0'))",
  ),
  lua('charges.lua', 'charges on expiry without suspense', "return '0', charged, charged", "return '0', charged, '0'"),
  lua(
    'charges.lua',
    'dates a charge by its settlement',
    'math.floor(admitted / balance.width), reserved, spent',
    'math.floor(now / balance.width), reserved, spent',
  ),
  lua('charges.lua', 'swaps the lines of a charge', 'standing(state, line.amount, charged[i])', 'standing(state, line.amount, charged[1])'),
  lua(
    'charges.lua',
    'counts an overrun without proof',
    "return state == 'settled-proven' and isLess(amount, charged)",
    'return isLess(amount, charged)',
  ),
  lua('charges.lua', 'does not take off what slid out', "shift(key, 'avl', freedBy(reserved, spent))", "shift(key, 'avl', reserved)"),
  lua('settle.lua', 'settles twice', 'return settleAgain(settlement, record)', 'return settleOpen(settlement, record)'),
  lua(
    'settle.lua',
    'does not correct what expired',
    "if settlement.proven then\n    close(settlement, record, 'settled-proven', settlement.amounts, 'settled-late')",
    "if settlement.proven then\n    close(settlement, record, record.state, record.charged, 'settled-late')",
  ),
  lua(
    'settle.lua',
    'takes any lines for those of the reservation',
    'if not sameKeys(record.lines, settlement.lines) then',
    'if false then',
  ),
  lua('settle.lua', 'charges what is older than any record', 'if now - settlement.minted > RETAIN_UNPROVEN_MS then', 'if false then'),
  lua(
    'settle.lua',
    'forgives a settlement whose reserve was lost',
    "return chargeUnseen(settlement, settlement.arrears == '1' and 'arrears' or 'reasserted')",
    "return { 'reasserted', nowText }",
  ),
  lua('settle.lua', 'raises an unproven charge again and again', "record.raised == '1' or not grows", 'not grows'),
  lua(
    'settle.lua',
    'takes another proof for the same',
    "(isSame or not settlement.proven) and 'already-settled'",
    "true and 'already-settled'",
  ),
  lua(
    'expire.lua',
    'releases on expiry',
    "charged[i] = string.sub(line.key, -9) == ' inFlight' and '0' or larger(line.floor, record.charged[i])",
    "charged[i] = '0'",
  ),
  lua('expire.lua', 'charges less than what was observed', 'larger(line.floor, record.charged[i])', 'line.floor'),
  lua('release.lua', 'leaves no tombstone', "replace(id, record, 'tombstone', {}, 'tombstoned', how, {})\n", ''),
  lua('release.lua', 'gives back what was settled', "was == 'settled-proven'", "was == 'never'"),
  lua('balances.lua', 'believes an older limit at once', 'order > 0 or now - balance.at >= VERSION_FORGET_MS', 'true'),
  lua(
    'balances.lua',
    'lets the higher of two amounts hold',
    'if isLess(line.limit, balance.lim) then',
    'if isLess(balance.lim, line.limit) then',
  ),
  lua('prelude.lua', 'believes every clock', 'return math.abs(tonumber(ARGV[1]) - now) <= CLOCK_SKEW_MS', 'return true'),
  lua('prelude.lua', 'lets time run backwards', 'now = math.max(clock, mark)', 'now = clock'),
  lua(
    'observe.lua',
    'lets a smaller observation replace a larger',
    'record.charged[i] = larger(record.charged[i], amount)',
    'record.charged[i] = amount',
  ),
  lua(
    'adjust.lua',
    'takes back what was proven',
    "givesBack and record.state ~= 'expired' and record.state ~= 'settled-unproven'",
    'false',
  ),
  lua('adjust.lua', 'adjusts twice', 'record.adjust == adjustId', 'false'),
  lua('reassert.lua', 'opens again what is known', 'if readRecord(asserted.key) then', 'if false then'),
  recovery('lua/reserve.lua', 'admits while the ledger recovers', "recovering and { 'recovering', nowText } or ", ''),
  recovery('lua/report.lua', 'waits for no holder', 'if silent > 0 and left > 0 and left <= RECOVER_MS then', 'if false then'),
  recovery('fence.ts', 'takes every server for the one that it knows', "=== '1'\n", ">= '0'\n"),
  recovery(
    'holdings.ts',
    'tells nothing of what is open',
    'open: [...this.#open.values()].filter(each => !isThere(each)).map(({ move }) => move)',
    'open: []',
  ),
  recovery(
    'holdings.ts',
    'tells nothing of what was closed',
    'closed: this.#closed.filter(each => !isThere(each) && !this.#outlived(each.atMs, nowMs)).map(({ closing }) => closing)',
    'closed: []',
  ),
  core(
    'balance.ts',
    'admits what does not fit',
    'stored.limit - stored.spent - stored.reserved >= line.amount',
    'stored.limit - stored.spent >= line.amount',
  ),
  core('closing.ts', 'releases on expiry', 'max(line.floor, charged[index] ?? 0n)', '0n'),
  core(
    'closing.ts',
    'corrects what expired again and again',
    "return !proven || sameAmounts(amounts, record.charged) ? already : { kind: 'stands', outcome: 'conflict' }",
    'return late',
  ),
  core(
    'sweep.ts',
    'expires holders whose store was away',
    'shelf.meta().resumedMs < silentSince ? silentSince : Number.NEGATIVE_INFINITY',
    'silentSince',
  ),
  core('step.ts', 'lets time run backwards', 'Math.max(storeClockMs, shelf.meta().markMs)', 'storeClockMs'),
  core(
    'sliding.ts',
    'drops a bucket too early',
    'Math.floor((nowMs - lengthMs) / bucketMs(lengthMs))',
    'Math.floor((nowMs - lengthMs) / bucketMs(lengthMs)) + 1',
  ),
  core(
    'moves.ts',
    'forgets dedupe',
    'if (known !== null) return repeated(known, move, storeMs)',
    'if (known !== null && storeMs < 0) return repeated(known, move, storeMs)',
  ),
  enforcer('settle.ts', 'drops a settlement that was not answered', '    waiting.push(move)\n', '    answered()\n'),
  enforcer(
    'allowance.ts',
    'lets anything pass while the ledger is away',
    'if (line.hard && sum > (limits[index]?.limit.allowUpTo ?? 0n)) return null',
    '',
  ),
  enforcer(
    'take.ts',
    'forwards a call whose reserve is not known',
    'if (allowed === null) return null',
    'if (allowed !== null) return null',
  ),
  enforcer(
    'charge.ts',
    'takes a partial reading for proof',
    'return { how, proven: false, inputTokens, outputTokens, requests: 1n, cost }',
    'return { how, proven: true, inputTokens, outputTokens, requests: 1n, cost }',
  ),
]
