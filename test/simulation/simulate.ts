// `make simulate`: many seeds on every core, or one seed with its trace. Ends with 1 at the first violation, and says how to see it again.
import { availableParallelism } from 'node:os'
import { runSeed } from './run.ts'
import { type Ran, runThread } from './threads.ts'

const TRACE_SHOWN = 60
const SEEDS = 20_000
const TELL_MS = 2_000

async function main(seedText: string, seedsText: string): Promise<number> {
  const first = seedText === '' ? 1 : wholeNumber('SEED', seedText)
  const seeds = seedsText !== '' ? wholeNumber('SEEDS', seedsText) : seedText === '' ? SEEDS : 1
  return seeds === 1 ? showSeed(first) : runSeeds(first, first + seeds)
}

async function showSeed(seed: number): Promise<number> {
  const { violation, hash, events, virtualMs, trace } = await runSeed(seed)
  for (const line of relevant(trace, violation ?? '').slice(-TRACE_SHOWN)) say(line)
  say(`seed ${seed}: ${events} events in ${Math.round(virtualMs / 1_000)} s of simulated time, trace ${hash}`)
  say(violation === null ? 'no violation' : `VIOLATION: ${violation}`)
  return violation === null ? 0 : 1
}

/** What tells the story of a violation: troubles, lives and deaths, and whatever names the call or the reservation. */
function relevant(trace: readonly string[], violation: string): string[] {
  const call = /call \d+ \(/.exec(violation)?.[0] ?? null
  const told = call === null ? '' : (trace.findLast(line => line.includes(call) && / [0-9a-f]{6}$/.test(line))?.slice(-6) ?? '')
  const id = /[0-9a-f]{26}([0-9a-f]{6})/.exec(violation)?.[1] ?? told
  const named = [call, id].filter(name => name !== null && name !== '')
  const story = /trouble:|over:|takes over|recover|starts|killed|drains|stops|says|VIOLATION/
  return trace.filter(line => story.test(line) || named.some(name => name !== null && line.includes(name)))
}

async function runSeeds(first: number, end: number): Promise<number> {
  const startedAt = performance.now()
  const total = { seeds: 0, events: 0, virtualMs: 0, seen: new Map<string, number>() }
  let failed: Ran | null = null
  const take = (result: Ran): 'go on' | 'stop' => {
    total.seeds += 1
    total.events += result.events
    total.virtualMs += result.virtualMs
    for (const [what, count] of result.seen) total.seen.set(what, (total.seen.get(what) ?? 0) + count)
    if (result.violation !== null && (failed === null || result.seed < failed.seed)) failed = result
    return failed === null ? 'go on' : 'stop'
  }
  const progress = (): string => {
    const rate = (total.seeds * 1_000) / (performance.now() - startedAt)
    const hours = total.virtualMs / 3_600_000
    return `${total.seeds} of ${end - first} seeds from ${first} on, ${rate.toFixed(0)} a second; ${total.events} events, ${hours.toFixed(1)} simulated hours`
  }
  const ticking = setInterval(() => process.stderr.write(`\r${progress()}`), TELL_MS)
  const step = availableParallelism()
  await Promise.all(Array.from({ length: step }, (_, index) => runThread({ bug: null, seed: first + index, end, step }, take)))
  clearInterval(ticking)
  process.stderr.write(`\r${progress()}\n`)
  if (failed === null) {
    for (const [what, count] of [...total.seen].sort()) say(`${String(count).padStart(10)} ${what}`)
    say('no violation')
    return 0
  }
  const { seed } = failed as Ran
  await showSeed(seed)
  say(`again: make simulate SEED=${seed}`)
  return 1
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`${name} is a whole number from 1 on, not ${text}`)
  return number
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

process.exitCode = await main(process.env['SEED'] ?? '', process.env['SEEDS'] ?? '')
