// Every recorded stream, cut at every byte: what is charged for it is never nothing, never above its reservation, and all of it at its end.
import { describe, expect, it } from 'vitest'
import type { Unit } from '../../src/core/budget.ts'
import { type Amounts, amountOf } from '../../src/core/estimate.ts'
import { inputTotal } from '../../src/core/usage.ts'
import { type Charge, chargeOf, type Ending } from '../../src/enforcer/charge.ts'
import type { Plan } from '../../src/enforcer/plan.ts'
import { type Asked, askedOf, type Exchange, finished, meterOf, NOW, planOf, readExchanges } from './recorded.ts'

const UNITS: readonly Unit[] = ['USD', 'Tokens', 'Requests']
/** Of a longer stream, every byte of so many at both ends, and every event between. */
const EDGE = 2_048

interface Stream {
  readonly exchange: Exchange
  readonly asked: Asked
  readonly plan: Plan
}

const { streams, refused } = plannedStreams()

describe('recorded streams, cut', () => {
  it('are nearly all admitted', () => {
    console.log(`${streams.length} streams; refused: ${refused.join('; ') || 'none'}`)
    expect(streams.length).toBeGreaterThan(220)
    expect(refused.length).toBeLessThanOrEqual(5)
  })

  it.each(streams.map(stream => [stream.exchange.id, stream] as const))('%s', async (_, stream) => {
    const settled = await settlement(stream)
    const faults = [...cuts(stream, settled)]
    expect(faults.slice(0, 3)).toEqual([])
  })
})

function plannedStreams(): { streams: Stream[]; refused: string[] } {
  const found: Stream[] = []
  const without: string[] = []
  for (const exchange of readExchanges()) {
    const { status } = exchange.response
    if (!exchange.streaming || status < 200 || status > 299) continue
    const asked = askedOf(exchange)
    // Where the recorder lost the request there is nothing that could have been reserved.
    if (asked === null || asked.lost) continue
    const plan = planOf(exchange, asked.call)
    if (typeof plan === 'string') without.push(`${exchange.id} ${plan}`)
    else found.push({ exchange, asked, plan })
  }
  return { streams: found, refused: without }
}

/** Of the answer as it came, in one piece. */
async function settlement({ exchange, asked, plan }: Stream): Promise<Charge> {
  const meter = meterOf(exchange, asked)
  meter.push(exchange.response.body, false)
  return chargeOf(plan, await finished(meter, true), NOW)
}

/** What is wrong with a cut, a sentence each. */
function* cuts({ exchange, asked, plan }: Stream, settled: Charge): Generator<string> {
  const { body } = exchange.response
  const meter = meterOf(exchange, asked)
  const bytewise = cutPoints(body)
  for (let at = 0; at <= body.length; at++) {
    if (at > 0) meter.push(body.subarray(at - 1, at), false)
    if (!bytewise(at)) continue
    const ending = endingOf(meter, at === body.length)
    const charge = chargeOf(plan, ending, NOW)
    const exact = ending.kind === 'answered' && ending.reading.kind === 'exact'
    if ((at === body.length || exact) && !sameCharge(charge, settled)) {
      yield `byte ${at}: ${said(charge)}, though the whole answer is settled at ${said(settled)}`
    }
    // A whole report may have no input: Ollama's has none where the prompt was still in its memory.
    const input = inputSoFar(ending)
    if (!exact && input === 0n && charge.inputTokens < plan.estimate.inputTokens) {
      yield `byte ${at}: ${charge.inputTokens} tokens of input, of which nothing was reported yet`
    }
    yield* limitsOf(plan, charge, at, stated(ending))
  }
}

/** An answer that is not compressed is finished at once, and may go on after it. */
function endingOf(meter: ReturnType<typeof meterOf>, whole: boolean): Ending {
  let found: Ending | null = null
  meter.finish(whole, ending => {
    found = ending
  })
  if (found === null) throw new Error('an answer that is not compressed has its reading at once')
  return found
}

function* limitsOf(plan: Plan, charge: Charge, at: number, isStated: boolean): Generator<string> {
  const reserved: Amounts = { ...plan.estimate, requests: 1n }
  for (const unit of UNITS) {
    const amount = amountOf(unit, charge)
    const most = amountOf(unit, reserved)
    // What the provider itself says is free, and what the price book says is, cost nothing.
    if (amount < 0n || (amount === 0n && !(unit === 'USD' && (isStated || most === 0n)))) yield `byte ${at}: ${amount} ${unit}`
    if (plan.call.serverTools.length === 0 && amount > most) yield `byte ${at}: ${amount} ${unit} of ${most} reserved`
  }
}

/** Tokens of input as reported so far; an answer may have them all and still not be over. */
function inputSoFar(ending: Ending): bigint {
  if (ending.kind !== 'answered' || ending.reading.kind === 'absent') return 0n
  return ending.reading.usage === null ? 0n : inputTotal(ending.reading.usage.tokens)
}

const stated = (ending: Ending): boolean =>
  ending.kind === 'answered' && ending.reading.kind === 'exact' && ending.reading.usage.statedCost !== null

/** Whether a stream is cut at a byte. Of a frame of an event stream the end is not told by a character, so its cuts are spread. */
function cutPoints(body: Buffer): (at: number) => boolean {
  return at => at <= EDGE || at >= body.length - EDGE || body[at - 1] === 0x0a || body[at] === 0x0a || at % 61 === 0
}

const said = ({ how, ...amounts }: Charge): string => `${how} ${UNITS.map(unit => `${amountOf(unit, amounts)} ${unit}`).join(', ')}`

const sameCharge = (a: Charge, b: Charge): boolean => said(a) === said(b) && a.proven === b.proven
