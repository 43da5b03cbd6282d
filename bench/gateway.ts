// Side by side in one run: Envoy alone, Envoy with a bare ext_proc echo, Envoy with Purser on Redis. Prints what each adds, and the bounds
// that Purser is held to. All of it shares this machine, so that only columns of one run compare.
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { type Answer, call, manyConnections, quantile } from '../test/e2e/call.ts'
import { type Child, freePort, startChild } from '../test/e2e/child.ts'
import { connectionManager, type Envoy, type EnvoyConfig, startEnvoy } from '../test/e2e/envoy.ts'
import { accessKey, budgetPolicy, fourLevels, KEY, type PolicyFolder, policyFolder } from '../test/e2e/policies.ts'
import { CHAT_PATH, chatBody, startTestProvider } from '../test/e2e/provider.ts'
import { cpuMs, histogramQuantile, type Purser, startPurser } from '../test/e2e/purser.ts'
import { RedisServer } from '../test/redis/server.ts'

const RATE = 50 // calls a second and column, open loop
const WIRINGS_RATE = 10 // four Envoys at once, and their latency is not to be that of a full machine
const ROUNDS = 3
const ROUND_SECONDS = 8
const STREAMS = 8
const CLOSED_CLIENTS = 32
const CLOSED_SECONDS = 5
const STORM_CLIENTS = 500
const STORM_CALLS = 8

/** `node bench/gateway.ts [PART…]`; all of them without a word. */
const PARTS = ['latency', 'streams', 'throughput', 'storms', 'wirings'] as const
const chosen = process.argv.slice(2)
const unknown = chosen.find(word => !PARTS.some(part => part === word))
if (unknown !== undefined) throw new Error(`there is no part ${unknown}; allowed: ${PARTS.join(', ')}`)

interface Column {
  readonly name: 'Envoy alone' | 'bare echo' | 'Purser' | 'Purser, split' | 'Purser, ext_authz'
  readonly port: number
  /** The process behind Envoy whose CPU counts; null for Envoy alone. */
  readonly pid: number | null
}
type PerColumn<T> = Readonly<Record<Column['name'], T>>

const HEADERS = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
const agent = manyConnections()
const endings: (() => unknown)[] = []

async function main(): Promise<void> {
  const provider = await startTestProvider()
  endings.push(provider.stop)
  const redis = await RedisServer.start()
  endings.push(() => redis.stop())
  const echo = await startEcho([])
  const purser = await startOnRedis(redis.url, 'ample', fourLevels('1000000'))
  const columns: readonly Column[] = [
    { name: 'Envoy alone', port: (await gateway([], provider.port)).port, pid: null },
    { name: 'bare echo', port: (await gateway([echo.port], provider.port, withoutSecondLock)).port, pid: echo.child.pid },
    { name: 'Purser', port: (await gateway([purser.grpcPort], provider.port)).port, pid: purser.child.pid },
  ]
  say(`${columns.map(column => column.name).join(', ')}; ${process.version}; all processes on one machine`)
  await each(columns, column => many(8, 100, () => json(column.port)))

  const wanted = (part: (typeof PARTS)[number]): boolean => chosen.length === 0 || chosen.includes(part)
  const roundTrip = wanted('latency') || wanted('streams') ? await added(columns, redis.port) : 0
  if (wanted('streams')) await streams(columns, roundTrip)
  if (wanted('throughput')) await throughput(columns)
  if (wanted('storms')) await storms(redis.url, provider.port)
  if (wanted('wirings')) await wirings(purser, provider.port, [columns[0], columns[2]])
}

/** The three wirings of `deploy/envoy` beside Envoy alone: what each adds to a call, and to every chunk of a stream. */
async function wirings(purser: Purser, providerPort: number, known: readonly (Column | undefined)[]): Promise<void> {
  const over = async (file: string): Promise<number> => (await gateway([purser.grpcPort], providerPort, undefined, file)).port
  const columns: readonly Column[] = [
    ...known.filter(column => column !== undefined),
    { name: 'Purser, split', port: await over('split.yaml'), pid: purser.child.pid },
    { name: 'Purser, ext_authz', port: await over('authorization.yaml'), pid: purser.child.pid },
  ]
  await each(columns, column => many(8, 50, () => json(column.port)))
  const rounds: PerColumn<readonly number[]>[] = []
  for (let round = 0; round < ROUNDS; round++) rounds.push(await openLoop(columns, WIRINGS_RATE))
  const { gaps } = await streamed(columns)
  const p = (name: Column['name'], share: number): number =>
    quantile(
      rounds.map(round => quantile(round[name], share)),
      0.5,
    )
  // Against what the gap should be, as the pace of the provider sets it.
  const late = (name: Column['name'], share: number): number => quantile(gaps[name], share) - quantile(gaps['Envoy alone'], share)
  say(`\nThe wirings, JSON, ${WIRINGS_RATE} calls/s each, and streams, a token each 25 ms, ${STREAMS} at once in each column`)
  table([
    ['', 'p50', 'p99', 'added p50', 'added p99', 'added to a gap p50', 'p90'],
    ...columns.map(({ name }) => [
      name,
      ms(p(name, 0.5)),
      ms(p(name, 0.99)),
      ms(p(name, 0.5) - p('Envoy alone', 0.5)),
      ms(p(name, 0.99) - p('Envoy alone', 0.99)),
      ms(late(name, 0.5)),
      ms(late(name, 0.9)),
    ]),
  ])
  bound('a gap of the split wiring, p50', Math.abs(late('Purser, split', 0.5)), 0.25, 'as good as nothing')
}

/** A fixed open-loop rate, the columns interleaved call by call. Answers the Redis round trip at p50 in ms, taken meanwhile. */
async function added(columns: readonly Column[], redisPort: number): Promise<number> {
  const pings: number[] = []
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: 0 })
  const pinging = setInterval(() => {
    const started = performance.now()
    void redis.ping().then(() => pings.push(performance.now() - started))
  }, 50)
  const rounds: PerColumn<readonly number[]>[] = []
  for (let round = 0; round < ROUNDS; round++) rounds.push(await openLoop(columns))
  clearInterval(pinging)
  redis.disconnect()
  const p = (name: Column['name'], share: number): number =>
    quantile(
      rounds.map(round => quantile(round[name], share)),
      0.5,
    )
  const plus = (name: Column['name'], share: number): number => p(name, share) - p('Envoy alone', share)
  const roundTrip = quantile(pings, 0.5)
  say(
    `\nAdded by the filter, JSON, ${RATE} calls/s each, medians of ${ROUNDS} rounds of ${ROUND_SECONDS} s; Redis round trip p50 ${ms(roundTrip)}`,
  )
  table([
    ['', 'p50', 'p99', 'added p50', 'added p99'],
    ...columns.map(({ name }) => [name, ms(p(name, 0.5)), ms(p(name, 0.99)), ms(plus(name, 0.5)), ms(plus(name, 0.99))]),
  ])
  bound('added p50', plus('Purser', 0.5), 2 * plus('bare echo', 0.5) + roundTrip, 'twice the echo plus the Redis round trip')
  return roundTrip
}

async function openLoop(columns: readonly Column[], rate = RATE): Promise<PerColumn<readonly number[]>> {
  const took = perColumn(columns, (): number[] => [])
  const pending: Promise<void>[] = []
  const started = performance.now()
  const total = rate * ROUND_SECONDS * columns.length
  for (let sent = 0; sent < total; sent++) {
    const due = started + (sent * 1_000) / (rate * columns.length)
    while (performance.now() < due) await new Promise(resolve => setTimeout(resolve, Math.max(0, due - performance.now())))
    const column = columns[sent % columns.length]
    if (column !== undefined) pending.push(json(column.port).then(answer => void took[column.name].push(answer.totalMs)))
  }
  await Promise.all(pending)
  return took
}

async function streamed(
  columns: readonly Column[],
): Promise<{ readonly first: PerColumn<readonly number[]>; readonly gaps: PerColumn<readonly number[]> }> {
  const first = perColumn(columns, (): number[] => [])
  const gaps = perColumn(columns, (): number[] => [])
  for (let round = 0; round < ROUNDS * 2; round++) {
    await Promise.all(
      columns.flatMap(({ name, port }) =>
        Array.from({ length: STREAMS }, async (_, index) => {
          await new Promise(resolve => setTimeout(resolve, index * 7))
          const answer = expectOk(await chat(port, true, { 'x-fake-tokens': '60', 'x-fake-chunk-delay-ms': '25' }))
          first[name].push(answer.firstByteMs)
          answer.pieceMs.slice(1).forEach((at, piece) => void gaps[name].push(at - (answer.pieceMs[piece] ?? at)))
        }),
      ),
    )
  }
  return { first, gaps }
}

async function streams(columns: readonly Column[], roundTrip: number): Promise<void> {
  const { first, gaps } = await streamed(columns)
  const [firstOf, gapOf] = [(name: Column['name']) => quantile(first[name], 0.5), (name: Column['name']) => quantile(gaps[name], 0.5)]
  say(`\nStreams, a token each 25 ms, ${STREAMS} at once in each column`)
  table([
    ['', 'first chunk p50', 'p99', 'gap p50', 'p99'],
    ...columns.map(({ name }) => [
      name,
      ms(firstOf(name)),
      ms(quantile(first[name], 0.99)),
      ms(gapOf(name)),
      ms(quantile(gaps[name], 0.99)),
    ]),
  ])
  bound('first chunk p50', firstOf('Purser'), firstOf('bare echo') + roundTrip + 1, "the echo's plus the Redis round trip plus 1 ms")
  bound('gap p50', Math.abs(gapOf('Purser') - gapOf('bare echo')), 1, "within 1 ms of the echo's")
}

async function throughput(columns: readonly Column[]): Promise<void> {
  const rates = perColumn(columns, (): number[] => [])
  const cpu = perColumn(columns, (): number[] => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, port, pid } of columns) {
      const before = pid === null ? 0 : cpuMs(pid)
      const started = performance.now()
      let done = 0
      await many(CLOSED_CLIENTS, Number.POSITIVE_INFINITY, async () => {
        if (performance.now() - started > CLOSED_SECONDS * 1_000) return false
        expectOk(await json(port))
        done++
        return true
      })
      rates[name].push((done / (performance.now() - started)) * 1_000)
      cpu[name].push(pid === null ? 0 : (cpuMs(pid) - before) / done)
    }
  }
  say(`\nClosed loop, ${CLOSED_CLIENTS} clients, medians of ${ROUNDS} rounds of ${CLOSED_SECONDS} s`)
  table([
    ['', 'calls/s here', 'its CPU a call', 'so one core of it'],
    ...columns.map(({ name, pid }) => {
      const each = quantile(cpu[name], 0.5)
      return [
        name,
        quantile(rates[name], 0.5).toFixed(0),
        pid === null ? '' : ms(each),
        pid === null ? '' : `${(1_000 / each).toFixed(0)} calls/s`,
      ]
    }),
  ])
}

/** Refusals for 500 clients at once, Purser's of a budget that is used up and the echo's, one after the other. */
async function storms(redisUrl: string, providerPort: number): Promise<void> {
  const echo = await startEcho(['--refuse'])
  const purser = await startOnRedis(redisUrl, 'spent', [
    budgetPolicy('once', { limits: [{ name: 'all', unit: 'Requests', amount: '1', window: { lifetime: {} } }] }),
    ...fourLevels('1000000').slice(0, 3),
    accessKey([]),
  ])
  const [echoPort, purserPort] = [
    (await gateway([echo.port], providerPort, withoutSecondLock)).port,
    (await gateway([purser.grpcPort], providerPort)).port,
  ]
  expectOk(await json(purserPort))
  const took = { echo: [] as number[], purser: [] as number[] }
  const cpu = { echo: 0, purser: 0 }
  const pids = { echo: echo.child.pid, purser: purser.child.pid }
  for (let round = 0; round < ROUNDS + 1; round++) {
    for (const [name, port] of [
      ['echo', echoPort],
      ['purser', purserPort],
    ] as const) {
      const answers: Answer[] = []
      const before = cpuMs(pids[name])
      await many(STORM_CLIENTS, STORM_CALLS, async () => void answers.push(await json(port)))
      if (answers.some(answer => answer.status !== 402))
        throw new Error(`refusals of ${name}: ${answers.map(a => a.status).find(s => s !== 402)}`)
      // The first round warms both.
      if (round === 0) continue
      took[name].push(...answers.map(answer => answer.totalMs))
      cpu[name] += cpuMs(pids[name]) - before
    }
  }
  const decision = histogramQuantile(await purser.metricsText(), 'purser_decision_duration_seconds', 0.5) * 1_000
  say(`\nRefusals under ${STORM_CLIENTS} clients at once, ${STORM_CALLS} calls each, ${ROUNDS} rounds`)
  table([
    ['', 'p50', 'p99', 'CPU a refusal'],
    ['bare echo', ms(quantile(took.echo, 0.5)), ms(quantile(took.echo, 0.99)), ms(cpu.echo / took.echo.length)],
    ['Purser', ms(quantile(took.purser, 0.5)), ms(quantile(took.purser, 0.99)), ms(cpu.purser / took.purser.length)],
  ])
  bound('refusal p50', quantile(took.purser, 0.5) / quantile(took.echo, 0.5), 1.5, 'times that of the echo', x => `${x.toFixed(2)} x`)
  bound("Purser's own decision p50", decision, 5, 'from the body read to the reply written')
}

const chat = (port: number, stream: boolean, more: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  call({ port, agent, path: CHAT_PATH, headers: { ...HEADERS, ...more }, body: chatBody(1_000, stream) })
const json = (port: number): Promise<Answer> => chat(port, false)

function expectOk(answer: Answer): Answer {
  if (answer.status !== 200 || answer.end !== 'whole')
    throw new Error(`a call failed: ${answer.status} ${answer.end} ${answer.body.slice(0, 300)}`)
  return answer
}

/** `clients` at once, each up to `calls` times in a row; a call that answers false ends its client. */
async function many(clients: number, calls: number, work: () => Promise<unknown>): Promise<void> {
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let done = 0; done < calls; done++) if ((await work()) === false) return
    }),
  )
}

async function each<T>(list: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  for (const item of list) await work(item)
}

const perColumn = <T>(columns: readonly Column[], make: () => T): PerColumn<T> =>
  Object.fromEntries(columns.map(({ name }) => [name, make()])) as PerColumn<T>

async function gateway(
  purserPorts: readonly number[],
  providerPort: number,
  edit?: (config: EnvoyConfig) => void,
  file = 'default.yaml',
): Promise<Envoy> {
  const envoy = await startEnvoy({ purserPorts, providerPort, file, ...(edit === undefined ? {} : { edit }) })
  endings.push(() => envoy.stop())
  return envoy
}

/** The echo gives no verdict, so the filter that asks for one would refuse what it lets through. */
function withoutSecondLock(config: EnvoyConfig): void {
  const manager = connectionManager(config)
  manager.http_filters = manager.http_filters.filter(filter => filter.name !== 'envoy.filters.http.rbac')
}

async function startEcho(flags: readonly string[]): Promise<{ readonly port: number; readonly child: Child }> {
  const port = await freePort()
  const child = startChild('echo', process.execPath, [
    join(import.meta.dirname, 'echo/server.ts'),
    '--listen',
    `127.0.0.1:${port}`,
    ...flags,
  ])
  endings.push(() => child.end('SIGTERM', 5_000))
  await child.line(line => line.includes('"ready"'), 30_000)
  return { port, child }
}

async function startOnRedis(url: string, ledgerName: string, objects: readonly unknown[]): Promise<Purser> {
  const policies: PolicyFolder = policyFolder(objects)
  endings.push(policies.remove)
  const purser = await startPurser({ policies: policies.path, ledger: url, ledgerName, drainSeconds: 0 })
  endings.push(() => purser.child.end('SIGTERM', 10_000))
  return purser
}

const ms = (value: number): string => `${value.toFixed(2)} ms`
const say = (line: string): void => console.log(line)

function table(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)))
  for (const row of rows)
    say(row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[column] ?? 0) + 3))).join(''))
}

function bound(what: string, value: number, most: number, why: string, show: (value: number) => string = ms): void {
  say(`  ${value <= most ? 'holds' : 'OVER '}  ${what}: ${show(value)}, at most ${show(most)} (${why})`)
}

try {
  await main()
} finally {
  agent.destroy()
  for (const ending of endings.reverse()) await ending()
}
