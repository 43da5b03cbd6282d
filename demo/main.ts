// The demo: a real Envoy, Purser, a fake provider and example policies on this machine; shows an allowed call, a stream, a refusal
// with its explanation, and the balances. Leaves nothing behind.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Envoy, startEnvoy } from '../test/e2e/envoy.ts'
import { type Purser, startPurser } from '../test/e2e/purser.ts'
import { startProvider } from '../test/provider/provider.ts'
import { askOnce, askStream, balances, say, untilRefused } from './show.ts'

/** The key of `policies/budgets.yaml`; it opens nothing but this demo. */
const KEY = 'psk_demo0demo0demo0demo0demo0demo0demo0demo0demo'
const POLICIES = join(import.meta.dirname, 'policies')
const REFRESH_MS = 2_000

const HELP = `purser demo [--once]

Starts Envoy, Purser, and a fake provider on free ports of this machine, and shows calls being allowed, streamed and refused.
Stays up until Ctrl-C, so that you can call it yourself; --once ends after the show.
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { once: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const stop = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.resolve())
  const cleanUps: (() => Promise<unknown> | unknown)[] = []
  try {
    const shown = show(values.once, stop.promise, cleanUps)
    await Promise.race([shown, stop.promise])
    return 0
  } finally {
    say('\nCleaning up.')
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

async function show(once: boolean, stopped: Promise<void>, cleanUps: (() => Promise<unknown> | unknown)[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-demo-'))
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
  say('Starting a fake provider, Purser and Envoy ...')
  const provider = await startProvider({ port: 0, outputTokens: 500, inputTokens: 100 })
  cleanUps.push(() => provider.close())
  const purser = await startPurser({ policies: POLICIES, ledger: `sqlite:${join(folder, 'purser.db')}`, drainSeconds: 1 })
  cleanUps.push(() => purser.child.end('SIGTERM'))
  const envoy = await startEnvoy({ purserPorts: [purser.grpcPort], providerPort: provider.port })
  cleanUps.push(() => envoy.stop())
  say(`Envoy is at http://127.0.0.1:${envoy.port}, Purser's HTTP side at http://127.0.0.1:${purser.httpPort}.`)

  const url = `http://127.0.0.1:${envoy.port}/v1/chat/completions`
  say('\n1. A call. Purser reserves the most that it can cost, and settles what it did cost.')
  await askOnce(url, KEY)
  say('\n2. A stream. Purser asks the provider for usage, and hides the chunk that the client did not ask for.')
  await askStream(url, KEY)
  say('\n3. More calls, until one does not fit the budget of $0.03 a day for team research.')
  await untilRefused(url, KEY)
  say('\n4. The balances, from GET /v1/budgets. Spent is what the provider billed, to the nano-dollar.')
  say(await balances(purser))
  say(`   The provider's own bill: $${provider.bill().totalUsd}`)
  if (!once) await stayUp(envoy, purser, stopped)
}

async function stayUp(envoy: Envoy, purser: Purser, stopped: Promise<void>): Promise<void> {
  say(`
Call it yourself; policies are in demo/policies, and changes to them take effect at once:

  curl -si http://127.0.0.1:${envoy.port}/v1/chat/completions -H 'content-type: application/json' \\
    -H 'authorization: Bearer ${KEY}' -d '{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"max_tokens":100}'
  curl -s http://127.0.0.1:${purser.httpPort}/v1/budgets
  curl -s http://127.0.0.1:${purser.httpPort}/metrics

Balances are shown when they change. Ctrl-C ends the demo.`)
  let last = await balances(purser)
  for (let running = true; running; ) {
    running = await Promise.race([stopped.then(() => false), new Promise<boolean>(resolve => setTimeout(resolve, REFRESH_MS, true))])
    const now = running ? await balances(purser) : last
    if (now !== last) say(`\n${now}`)
    last = now
  }
}

try {
  process.exitCode = await main()
} catch (fault) {
  process.stderr.write(`demo: ${fault instanceof Error ? fault.message : fault}\n`)
  process.exitCode = 1
}
