// Half an hour of mixed calls through a real Envoy and Redis, and what a bad day adds: abandoned calls by the thousand, a burst of ten times
// the load, thousands of open streams. Memory and files must stay flat, and the ledger end at the provider's bill. SOAK_MINUTES=N for other
// lengths, SOAK_RATE for calls a second, SOAK_STREAMS for open streams.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { type Answer, quantile } from '../test/e2e/call.ts'
import { accessKey, budgetPolicy } from '../test/e2e/policies.ts'
import { startTestProvider, type TestProvider } from '../test/e2e/provider.ts'
import { until } from '../test/e2e/until.ts'
import { nano, settled, startWorld, type World } from '../test/e2e/world.ts'
import { type Kind, Load } from './soak/load.ts'
import { Course, vitalsOf } from './soak/vitals.ts'

const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 30)
const RATE = Number(process.env['SOAK_RATE'] ?? 25)
const STREAMS = Number(process.env['SOAK_STREAMS'] ?? 10_000)
const HAIL = { perSecond: 500, seconds: 20 }
const BURST = { times: 10, seconds: 5 }
const SAMPLE_MS = Math.min(10_000, (MINUTES * 60_000) / 40)
/** After the last of a burst's calls; "normal" is a second without a refusal for overload. */
const BACK_WITHIN_MS = 10_000

/** The estimate of one call, in nano-USD: 1,000 tokens at $10 a million, and the prompt. */
const MOST = 11_000_000n

const endings: (() => unknown)[] = []
const failures: string[] = []
let stop = false

async function main(): Promise<void> {
  const provider = await startTestProvider({ outputTokens: 50 })
  endings.push(provider.stop)
  const world = await startWorld({
    ledger: 'redis',
    replicas: 1,
    objects: [
      budgetPolicy('soak', {
        limits: [
          { name: 'money', unit: 'USD', amount: '1000000', window: { lifetime: {} }, partitionBy: [{ header: 'x-kind' }] },
          { name: 'tokens', unit: 'Tokens', amount: '100000000000', window: { sliding: '1m' }, partitionBy: [{ header: 'x-kind' }] },
          { name: 'flying', unit: 'Requests', amount: '100000', window: { inFlight: {} } },
        ],
      }),
      budgetPolicy('none-left', {
        match: { subjects: [{ header: 'x-kind', values: ['refused'] }] },
        limits: [{ name: 'all', unit: 'USD', amount: '0', window: { lifetime: {} } }],
      }),
      accessKey([]),
    ],
    providerPort: provider.port,
    purser: { flags: ['--trusted-headers', 'x-kind'], drainSeconds: 5 },
  })
  endings.push(() => world.stop())
  const load = new Load(world.envoy.port)
  endings.push(() => {
    load.stopping = true
  })
  say(`${MINUTES} minutes at ${RATE} calls a second; ${process.version}, Envoy, Redis, provider and clients on one machine`)
  await steady(world, load)
  if (!stop) await hail(world, load)
  if (!stop) await burst(load)
  if (!stop) await crowd(world, load)
  await load.ended()
  if (!stop) await books(world, provider, load.harmed)
}

/** The long part: vitals are sampled, and must be flat. */
async function steady(world: World, load: Load): Promise<void> {
  const courses = [
    new Course('Purser', () => world.purser.child.pid),
    new Course('Envoy', () => world.envoy.pid),
    new Course('Redis', () => world.redis?.pid ?? 0),
  ]
  const started = performance.now()
  const sampling = setInterval(() => {
    const vitals = courses.map(course => {
      const { mb, files } = course.sample()
      return `${course.name} ${mb.toFixed(0)} MB ${files} files`
    })
    const minutes = (performance.now() - started) / 60_000
    progress(`${minutes.toFixed(1)} of ${MINUTES} min, ${load.made} calls, ${load.underWay} under way; ${vitals.join(', ')}`)
  }, SAMPLE_MS)
  await load.steady(RATE, () => stop || performance.now() - started > MINUTES * 60_000)
  clearInterval(sampling)
  progress('')
  say(`steady: ${load.made} calls: ${[...load.counts].map(([word, count]) => `${count} x ${word}`).join(', ')}`)
  for (const course of courses) {
    const verdict = course.verdict()
    if (verdict === null) continue
    const { from, to, flat } = verdict
    check(
      `${course.name} flat: ${from.mb.toFixed(0)} MB and ${from.files.toFixed(0)} files, then ${to.mb.toFixed(0)} MB and ${to.files.toFixed(0)} files`,
      flat,
    )
  }
}

/** Calls that are left at once, beside a stream that must not notice. */
async function hail(world: World, load: Load): Promise<void> {
  const before = vitalsOf(world.purser.child.pid)
  const beside = load.steady(
    5,
    (
      deadline => () =>
        performance.now() > deadline
    )(performance.now() + HAIL.seconds * 1_000),
  )
  await load.hail(HAIL.perSecond, HAIL.seconds)
  await beside
  await until(
    'what was left to be closed',
    60_000,
    world.purser.child,
    async () => (await world.purser.metric('purser_open_exchanges')) < 50,
  )
  const afterwards = vitalsOf(world.purser.child.pid)
  const resets = await world.envoy.stat('cluster.purser.http2.tx_reset')
  const cut = await world.envoy.stat('cluster.purser.upstream_cx_destroy_remote_with_active_rq')
  check(
    `hail of ${HAIL.perSecond} left calls a second for ${HAIL.seconds} s: ${resets} streams reset so far, ${cut} connections broken; ${before.mb.toFixed(0)} MB, then ${afterwards.mb.toFixed(0)} MB`,
    cut === 0,
  )
}

/** Ten times the load, then the usual one: until when are calls refused for overload? */
async function burst(load: Load): Promise<void> {
  const seconds = (count: number) =>
    (
      deadline => () =>
        performance.now() > deadline
    )(performance.now() + count * 1_000)
  const before = await load.steady(RATE, seconds(5))
  const burstEnds = seconds(BURST.seconds)
  const during = await load.steady(RATE * BURST.times, burstEnds)
  const ended = performance.now()
  let backMs = Number.NaN
  while (Number.isNaN(backMs) && performance.now() - ended < 4 * BACK_WITHIN_MS && !stop) {
    const second = await load.steady(RATE, forSeconds(1))
    if (second.length > 0 && second.every(answer => !isOverload(answer))) backMs = performance.now() - ended - 1_000
  }
  const p50 = (answers: readonly Answer[]): string =>
    `${quantile(
      answers.filter(({ status }) => status === 402 || status === 403).map(({ headMs }) => headMs),
      0.5,
    ).toFixed(0)} ms`
  const refused = during.filter(isOverload).length
  check(
    `burst of ${RATE * BURST.times} a second for ${BURST.seconds} s: ${refused} of ${during.length} refused for overload, verdicts at p50 ${p50(before)} before, ${p50(during)} in it; normal ${(backMs / 1_000).toFixed(1)} s after it`,
    backMs <= BACK_WITHIN_MS,
  )
}

const isOverload = ({ status, headers }: Answer): boolean =>
  status === 504 || (status === 503 && headers['x-purser-reason'] !== 'ledger-unavailable')

/** Open streams: what each takes, and what is left when they have gone. */
async function crowd(world: World, load: Load): Promise<void> {
  const { pid } = world.purser.child
  const before = vitalsOf(pid)
  const leave = await load.crowd(STREAMS, 250)
  await until('nearly all streams to be open', 60_000, world.purser.child, async () => (await openAt(world)) >= STREAMS * 0.98)
  const full = vitalsOf(pid)
  const held: number[] = []
  for (let n = 0; n < 10 && !stop; n++) {
    await after(2_000)
    held.push(vitalsOf(pid).mb)
  }
  const usual = await load.steady(
    RATE,
    (
      deadline => () =>
        performance.now() > deadline
    )(performance.now() + 5_000),
  )
  leave()
  await until('all streams to be closed', 60_000, world.purser.child, async () => (await openAt(world)) < 50)
  const whole = usual.filter(({ status }) => status === 504 || status === 503).length
  check(
    `${STREAMS} open streams: ${before.mb.toFixed(0)} MB before, ${full.mb.toFixed(0)} MB with them (${(((full.mb - before.mb) * 1_024) / STREAMS).toFixed(0)} KB each), ${held.map(mb => mb.toFixed(0)).join(' ')} MB over 20 s, ${vitalsOf(pid).mb.toFixed(0)} MB after; ${whole} of ${usual.length} calls beside them refused by 503 or 504`,
    Math.max(...held) < full.mb * 1.25 + 64,
  )
}

function forSeconds(count: number): () => boolean {
  const deadline = performance.now() + count * 1_000
  return () => performance.now() > deadline
}

const openAt = (world: World): Promise<number> => world.purser.metric('purser_open_exchanges')

/** The ledger against the bill, kind by kind, and against itself. */
async function books(world: World, provider: TestProvider, harmed: number): Promise<void> {
  await until('the provider to have billed everything', 60_000, null, async () => (await provider.open()) === 0)
  const rows = await settled(world.purser, 120_000)
  for (const kind of ['exact', 'left', 'failed', 'refused', 'hail'] satisfies readonly Kind[]) {
    const row = rows.find(({ limit, partition }) => limit === 'money' && partition === kind)
    const [billed, spent, suspense] = [await provider.billedFor(kind), nano(row?.spent ?? '0'), nano(row?.suspense ?? '0')]
    const bounded = spent >= billed && spent - suspense <= billed
    const holds = kind === 'exact' ? bounded && suspense <= BigInt(harmed) * MOST : bounded
    check(
      `${kind}${kind === 'exact' ? ` (${harmed} of them cut by a busy machine)` : ''}: billed $${usd(billed)}, charged $${usd(spent)}, of it unproven $${usd(suspense)}`,
      holds,
    )
  }
  const expired = await world.purser.metric('purser_reservations_closed_total', { how: 'expired' })
  check(`${expired} reservations expired`, expired === 0)
  try {
    const proved = execFileSync(join(import.meta.dirname, '../bin/purser'), ['verify', '--ledger', world.redisUrl ?? ''], {
      encoding: 'utf8',
    })
    check(`verify: ${proved.trim().split('\n').at(-1)}`, true)
  } catch (error) {
    check(`verify: ${String(error)}`, false)
  }
}

const usd = (amount: bigint): string => (Number(amount) / 1e9).toFixed(6)
const say = (line: string): void => console.log(line)

function check(line: string, holds: boolean): void {
  if (!holds) failures.push(line)
  say(`${holds ? 'ok  ' : 'FAIL'} ${line}`)
}

/** One line that is written over on a terminal, and lines of their own elsewhere. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
  else if (line !== '') process.stderr.write(`${line}\n`)
}

let ending: Promise<void> | null = null
/** Once, whoever asks first; the others wait for it. */
function end(): Promise<void> {
  ending ??= (async () => {
    for (const each of endings.splice(0).reverse()) await each()
  })()
  return ending
}

process.once('SIGINT', () => {
  stop = true
  progress('')
  say('stopping ...')
  void end()
})
try {
  await main()
} catch (error) {
  // What was under way when everything was ended says so.
  if (!stop) throw error
} finally {
  await end()
}
if (failures.length > 0) say(`${failures.length} of these did not hold`)
process.exit(stop ? 130 : failures.length > 0 ? 1 : 0)
