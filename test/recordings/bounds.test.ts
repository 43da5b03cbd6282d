// The input that a plan reserves, over the recordings of every API and at the prices of the book: never below what was billed, nor far above.
import { beforeAll, describe, expect, it } from 'vitest'
import { inputTotal } from '../../src/core/usage.ts'
import { type Asked, askedOf, type Exchange, finished, meterOf, planOf, readExchanges } from './recorded.ts'

interface Compared {
  readonly id: string
  readonly api: string
  readonly bound: number
  readonly billed: number
  readonly images: boolean
}

let compared: readonly Compared[] = []
/** APIs that read a prompt of text, and report what it was billed for. */
const APIS = ['chat', 'completions', 'embeddings', 'responses', 'responses-compact', 'messages', 'generateContent', 'streamGenerateContent']
const MORE_APIS = ['ollama-chat', 'ollama-generate', 'converse', 'converse-stream', 'invoke', 'invoke-stream', 'cohere-chat', 'rerank']

beforeAll(async () => {
  const found: Compared[] = []
  for (const exchange of readExchanges()) {
    const asked = askedOf(exchange)
    const one = asked === null || asked.lost ? null : await compare(exchange, asked)
    if (one !== null) found.push(one)
  }
  compared = found
})

describe('the input that is reserved', () => {
  it('is never below what was billed for text, whatever the API', () => {
    const texts = compared.filter(({ images }) => !images)
    for (const api of [...APIS, ...MORE_APIS]) expect(texts.filter(row => row.api === api).length, api).toBeGreaterThan(0)
    expect(texts.length).toBeGreaterThan(550)
    expect(texts.filter(({ bound, billed }) => bound < billed)).toEqual([])
  })

  it('is never below what was billed for images', () => {
    const images = compared.filter(row => row.images)
    expect(images.length).toBeGreaterThan(5)
    expect(images.filter(({ bound, billed }) => bound < billed)).toEqual([])
  })

  it('is at most twice what was billed, in the middle of prompts over 1,500 tokens', () => {
    const ratios = compared.filter(({ billed, images }) => billed > 1_500 && !images).map(({ bound, billed }) => bound / billed)
    ratios.sort((a, b) => a - b)
    const median = ratios[Math.floor(ratios.length / 2)] ?? Number.NaN
    console.log(
      `${compared.length} compared; over 1,500 tokens: ${ratios.length}, median ${median.toFixed(2)}, most ${ratios.at(-1)?.toFixed(2)}`,
    )
    expect(ratios.length).toBeGreaterThanOrEqual(3)
    expect(median).toBeLessThanOrEqual(2)
  })
})

/** Null where the body does not show the input, where it was shortened (of an image its head is left), and where no input was reported. */
async function compare(exchange: Exchange, asked: Asked): Promise<Compared | null> {
  const { call } = asked
  const images = call.media.length > 0
  if (call.opaqueInputs.length > 0 || call.serverTools.length > 0 || exchange.response.status !== 200) return null
  if (call.media.some(({ kind }) => kind !== 'image') || (exchange.elidedChars > 0 && !images)) return null
  // The authors of two recordings put another prompt in, and left the usage of their own.
  if (exchange.notes.some(note => note.includes('usage does not match'))) return null
  const plan = planOf(exchange, call)
  if (typeof plan === 'string') return null
  const meter = meterOf(exchange, asked)
  meter.push(exchange.response.body, false)
  const ending = await finished(meter, true)
  if (ending.kind !== 'answered' || ending.reading.kind !== 'exact') return null
  const billed = Number(inputTotal(ending.reading.usage.tokens))
  if (billed === 0) return null
  return { id: exchange.id, api: exchange.api, bound: Number(plan.estimate.inputTokens), billed, images }
}
