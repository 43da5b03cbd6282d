// Recorded exchanges through the same reader, rulebook, estimator, meter and ledger as live ones. Prints what would have been, moves nothing.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import type { Ledger, PolicySource, PriceSource, Random, TokenCounter } from '../ports.ts'
import { Comparison } from './comparison.ts'
import { parseRecorded } from './recorded.ts'
import type { Simulated } from './simulated.ts'
import { createSimulation, type Simulation } from './simulation.ts'

export interface SimulateWiring {
  openPolicies(folder: string): Promise<PolicySource>
  openPrices(policies: PolicySource): PriceSource
  openLedger(clock: { wallMs(): number; monotonicMs(): number }): Ledger
  /** Absent: policies that ask for a tokenizer get the bound by bytes. */
  readonly random: Random
  readonly tokens?: TokenCounter
  readonly out: NodeJS.WritableStream
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

export const SIMULATE_HELP = `purser simulate --policies DIR --exchanges FILE.jsonl [--against DIR] [--chunk N] [--cut N]

Runs recorded exchanges through a policy set and prints one JSON line an exchange.

  --policies DIR       the policies to try (default ./policies)
  --exchanges FILE     one exchange a line: {"id", "request", "response"}, and perhaps "time" and "subject"
  --against DIR        a second set: each line also says what it would have decided, and the summary who would newly
                       be refused by it, and the money that would not have been spent
  --chunk N            feed answers N bytes at a time
  --cut N              end answers after N bytes, as an abort would
`

/** Exit code 0, or 1 where a line was not an exchange. */
export async function simulate(args: readonly string[], wiring: SimulateWiring): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      policies: { type: 'string', default: './policies' },
      exchanges: { type: 'string' },
      against: { type: 'string' },
      chunk: { type: 'string' },
      cut: { type: 'string' },
    },
  })
  const file = values.exchanges
  if (file === undefined) throw new Error('--exchanges FILE.jsonl is needed')
  const feed = { chunk: sizeFlag('chunk', values.chunk, 1), cut: sizeFlag('cut', values.cut, 0) }
  const main = await open(values.policies, wiring)
  const other = values.against === undefined ? null : await open(values.against, wiring)
  const comparison = new Comparison()
  const sums = { admitted: 0, refused: 0, unmetered: 0, faulty: 0 }
  let number = 0
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    number++
    if (line.trim() === '') continue
    const recorded = parseRecorded(line)
    if (typeof recorded === 'string') {
      sums.faulty++
      wiring.err.write(`${file}:${number}: not an exchange: ${recorded}\n`)
      continue
    }
    const simulated = await main.run(recorded, feed)
    sums[simulated.outcome]++
    const against = other === null ? null : await other.run(recorded, feed)
    if (against !== null) comparison.add(recorded, simulated, against)
    wiring.out.write(`${JSON.stringify(against === null ? simulated : { ...simulated, against: decisionOf(against) })}\n`)
    if (wiring.err.isTTY === true && number % 50 === 0) wiring.err.write(`\r${number} exchanges`)
  }
  const { admitted, refused, unmetered, faulty } = sums
  wiring.err.write(
    `${wiring.err.isTTY === true ? '\r' : ''}${number} lines: ${admitted} admitted, ${refused} refused, ${unmetered} unmetered, ${faulty} not exchanges\n`,
  )
  if (other !== null) for (const text of comparison.lines()) wiring.err.write(`${text}\n`)
  return faulty === 0 ? 0 : 1
}

async function open(folder: string, wiring: SimulateWiring): Promise<Simulation> {
  const policies = await wiring.openPolicies(folder)
  return createSimulation(policies, wiring.openPrices(policies), wiring.openLedger, wiring.random, wiring.tokens && patient(wiring.tokens))
}

/** Waits until the tokenizer is ready, so that the first exchanges are bounded as the later ones. */
const patient = (tokens: TokenCounter): TokenCounter => ({
  ...tokens,
  count: async body => ((await tokens.start()) ? tokens.count(body) : null),
})

const decisionOf = ({ outcome, reason, chargedUsd }: Simulated) => ({ outcome, reason, chargedUsd })

function sizeFlag(name: string, text: string | undefined, min: number): number | null {
  if (text === undefined) return null
  if (!/^\d{1,12}$/.test(text) || Number(text) < min) throw new Error(`--${name} ${text}: allowed: a whole number of bytes from ${min}`)
  return Number(text)
}
