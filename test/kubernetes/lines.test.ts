// Lines of a stream, cut anywhere; and the waits between attempts.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backoff } from '../../src/kubernetes/backoff.ts'
import { linesOf } from '../../src/kubernetes/lines.ts'
import { RETRY_AFTER_MAX_MS } from '../../src/limits.ts'
import { systemRandom } from '../../src/system.ts'

async function* streamOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks
}

async function gathered(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines) all.push(line)
  return all
}

describe('lines', () => {
  it('are the same however the stream is cut, within characters too', async () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map(text => text.replaceAll('\n', ' '))
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 10 }), fc.array(fc.nat(), { maxLength: 10 }), async (lines, cuts) => {
        const bytes = Buffer.from(`${lines.map(one => `${one}\n`).join('')}rest`)
        const at = [...new Set([0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
        expect(await gathered(linesOf(streamOf(chunks), 1_000))).toEqual(lines)
      }),
    )
  })

  it('have a bound, also where no line ends', async () => {
    const chunks = Array.from({ length: 5 }, () => Buffer.alloc(4, 'x'))
    await expect(gathered(linesOf(streamOf(chunks), 16))).rejects.toThrow('longer than 16 bytes')
    expect(await gathered(linesOf(streamOf([Buffer.from('1234567890\n'.repeat(5))]), 16))).toHaveLength(5)
  })
})

describe('waits', () => {
  it('grow, have a bound, and begin anew after a good attempt', () => {
    const backoff = new Backoff(200, { ...systemRandom, fraction: () => 1 })
    expect(Array.from({ length: 9 }, () => backoff.nextMs())).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000])
    backoff.reset()
    expect(backoff.nextMs()).toBe(200)
  })

  it('are never shorter than the server asks, up to the bound, and are spread', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(100_000), (random, asked) => {
        const ms = new Backoff(200, { ...systemRandom, fraction: () => random }).nextMs(asked)
        expect(ms).toBeGreaterThanOrEqual(Math.min(asked, RETRY_AFTER_MAX_MS))
        expect(ms).toBeGreaterThanOrEqual(100)
        expect(ms).toBeLessThanOrEqual(RETRY_AFTER_MAX_MS * 1.25)
      }),
    )
  })
})
