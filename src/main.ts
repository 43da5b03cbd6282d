// The composition root: with main/ the only place that names every adapter. Reads the command and passes the wiring on.
import { CHECK_HELP } from './cli/check.ts'
import { demo } from './cli/demo.ts'
import { DOCTOR_HELP, doctor } from './cli/doctor.ts'
import { ledger } from './cli/ledger.ts'
import { PRICES_HELP, prices } from './cli/prices.ts'
import { SIMULATE_HELP, simulate } from './cli/simulate.ts'
import { VERIFY_HELP, verify } from './cli/verify.ts'
import { ConfigError } from './config/values.ts'
import { runCheck } from './main/check.ts'
import { controlHelp, runControl } from './main/control.ts'
import { ledgerTools, memory, openBook, openPolicies, openPrices } from './main/open.ts'
import { runServe, serveHelp } from './main/serve.ts'
import { systemClock, systemRandom } from './system.ts'
import { createTokenCounter } from './tokens/counter.ts'

const HELP = `purser: an LLM budget service for Envoy

  purser serve [flags]        serve Envoy (see purser serve --help)
  purser control [flags]      the controller in Kubernetes: statuses and Events (see purser control --help)
  purser check PATH…          check policy objects; exit 1 where one is wrong
  purser doctor FILE          what is wrong with how Envoy is set up; exit 1 where something is (see purser doctor --help)
  purser simulate [flags]     run recorded exchanges against policies (see purser simulate --help)
  purser verify [flags]       prove a ledger by its own entries (see purser verify --help)
  purser ledger export        the ledger's entries as events (see purser ledger export --help)
  purser ledger adjust ID     charge a reservation what it did cost (see purser ledger adjust --help)
  purser prices [MODEL]       the price that would be used, and why (see purser prices --help)
  purser demo [--once]        the whole of it on this machine: Envoy, a fake provider, example policies
`

async function main([command, ...args]: readonly string[]): Promise<number> {
  assertNode()
  const help = args.includes('--help') || args.includes('-h')
  switch (command) {
    case 'serve':
      return help ? print(serveHelp()) : runServe(args)
    case 'control':
      return help ? print(controlHelp()) : runControl(args)
    case 'check':
      return help ? print(CHECK_HELP) : runCheck(args)
    case 'doctor':
      return help ? print(DOCTOR_HELP) : doctor(args, print)
    case 'simulate':
      return help
        ? print(SIMULATE_HELP)
        : simulate(args, {
            openPolicies: folder => openPolicies(folder, []),
            openPrices,
            openLedger: memory,
            tokens: createTokenCounter(),
            random: systemRandom,
            out: process.stdout,
            err: process.stderr,
          })
    case 'verify':
      return help ? print(VERIFY_HELP) : verify(args, ledgerTools())
    case 'ledger':
      return ledger(args, ledgerTools())
    case 'prices':
      return help
        ? print(PRICES_HELP)
        : prices(args, { openBook, nowMs: systemClock.wallMs, out: print, err: text => process.stderr.write(text) })
    case 'demo':
      return demo(args)
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      return print(HELP)
    default:
      process.stderr.write(`purser: there is no command '${command}'\n\n${HELP}`)
      return 2
  }
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function assertNode(): void {
  if (Number(process.versions.node.split('.')[0]) < 24) {
    throw new ConfigError(`purser needs Node 24 or newer, this is ${process.version}: run 'make setup', then bin/purser`)
  }
}

// Whoever read our words may stop reading, as head does: that ends neither a command nor the service.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (fault) {
  process.stderr.write(`purser: ${fault instanceof Error ? fault.message : fault}\n`)
  if (!(fault instanceof ConfigError) && fault instanceof Error && process.argv.includes('--log-level=debug'))
    process.stderr.write(`${fault.stack}\n`)
  process.exitCode = 1
}
// A pipe holds 64 KiB: what is beyond is still ours until somebody reads it.
await Promise.all([process.stdout, process.stderr].map(stream => new Promise(written => stream.write('', written))))
process.exit()
