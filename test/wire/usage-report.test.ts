// Reported token numbers to disjoint counts: sums are kept where the report agrees with itself, and never shrink where it does not.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cachedTotal, inputTotal, NO_TOKENS, outputTotal, type TokenCounts } from '../../src/core/usage.ts'
import { NOTHING_REPORTED, normaliseTokens, type ReportedTokens } from '../../src/wire/usage-report.ts'

const count = fc.bigInt({ min: 0n, max: 1_000_000n })
const some = fc.option(count)
const reports = fc.record<ReportedTokens>({
  input: some,
  cacheRead: some,
  cacheReadAudio: some,
  cacheWrite5m: some,
  cacheWrite1h: some,
  inputAudio: some,
  inputImage: some,
  inputVideo: some,
  output: some,
  reasoning: some,
  outputAudio: some,
  outputImage: some,
  outputVideo: some,
  total: some,
})
const conventions = fc.constantFrom('InputIncludesCache' as const, 'InputExcludesCache' as const)

describe('normaliseTokens', () => {
  it('has no negative part, and sides at least as large as what was stated', () => {
    fc.assert(
      fc.property(reports, conventions, (report, convention) => {
        const { tokens } = normaliseTokens(report, convention)
        for (const part of Object.values(tokens)) expect(part >= 0n).toBe(true)
        expect(inputTotal(tokens) >= (report.input ?? 0n)).toBe(true)
        expect(outputTotal(tokens) >= (report.output ?? 0n)).toBe(true)
        expect(inputTotal(tokens) + outputTotal(tokens) >= (report.total ?? 0n)).toBe(true)
      }),
      { numRuns: 1_000, verbose: 1 },
    )
  })

  it('finds again what a consistent report was made of', () => {
    const parts = fc.record<TokenCounts>({
      input: count,
      cacheRead: count,
      cacheReadAudio: count,
      cacheWrite5m: count,
      cacheWrite1h: count,
      inputAudio: count,
      inputImage: count,
      inputVideo: count,
      output: count,
      reasoning: count,
      outputAudio: count,
      outputImage: count,
      outputVideo: count,
    })
    fc.assert(
      fc.property(parts, conventions, fc.boolean(), (tokens, convention, withTotal) => {
        const excluded = convention === 'InputExcludesCache'
        const plain = tokens.input + tokens.inputAudio + tokens.inputImage + tokens.inputVideo
        const input = excluded ? plain : inputTotal(tokens)
        const report = {
          ...tokens,
          input,
          cacheRead: cachedTotal(tokens),
          output: outputTotal(tokens),
          total: withTotal ? inputTotal(tokens) + outputTotal(tokens) : null,
        }
        expect(normaliseTokens(report, convention)).toEqual({ tokens, contradictions: [] })
      }),
      { numRuns: 500, verbose: 1 },
    )
  })

  it('takes reasoning that the output leaves out from the total', () => {
    const report = { ...NOTHING_REPORTED, input: 12n, output: 1n, reasoning: 290n, total: 303n }
    expect(normaliseTokens(report, 'InputIncludesCache')).toEqual({
      tokens: { ...NO_TOKENS, input: 12n, output: 1n, reasoning: 290n },
      contradictions: [],
    })
  })

  it('adds reasoning to an output that it exceeds, where no total says otherwise', () => {
    const { tokens, contradictions } = normaliseTokens({ ...NOTHING_REPORTED, input: 5n, output: 2n, reasoning: 9n }, 'InputIncludesCache')
    expect(outputTotal(tokens)).toBe(11n)
    expect(contradictions).toHaveLength(1)
  })

  it('reads cached tokens above the input as coming on top of it', () => {
    const { tokens, contradictions } = normaliseTokens({ ...NOTHING_REPORTED, input: 10n, cacheRead: 25n }, 'InputIncludesCache')
    expect(tokens).toEqual({ ...NO_TOKENS, input: 10n, cacheRead: 25n })
    expect(contradictions).toHaveLength(1)
  })

  it('prices overlapping parts at the dearer one', () => {
    const report = { ...NOTHING_REPORTED, input: 100n, inputAudio: 80n, cacheRead: 90n }
    expect(normaliseTokens(report, 'InputIncludesCache')).toEqual({
      tokens: { ...NO_TOKENS, inputAudio: 80n, cacheRead: 20n },
      contradictions: [],
    })
  })

  it('derives a missing side from the total', () => {
    expect(inputTotal(normaliseTokens({ ...NOTHING_REPORTED, total: 12n }, 'InputIncludesCache').tokens)).toBe(12n)
    expect(inputTotal(normaliseTokens({ ...NOTHING_REPORTED, output: 5n, total: 12n }, 'InputIncludesCache').tokens)).toBe(7n)
  })
})
