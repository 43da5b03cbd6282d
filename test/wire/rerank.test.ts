// The bound on what a rerank is charged: searches by the number and length of its documents, tokens of the query with each of them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Call, textBytes } from '../../src/core/call.ts'
import { rerank } from '../../src/wire/rerank.ts'

function read(query: string, documents: readonly unknown[]): Call {
  const reader = rerank.openReader({ method: 'POST', path: '/v2/rerank', query: '', header: () => null }, 'rerank')
  reader.push(new TextEncoder().encode(JSON.stringify({ model: 'm', query, documents })))
  const result = reader.end()
  if (result.kind !== 'call') throw new Error(result.why)
  return result.call
}
const searches = (call: Call): number => Number(call.charges?.get('search_units'))

describe('a rerank', () => {
  it('is a search for each hundred documents', () => {
    expect(searches(read('q', []))).toBe(1)
    expect(searches(read('q', new Array(90).fill('a')))).toBe(1)
    expect(searches(read('q', new Array(101).fill('a')))).toBe(2)
  })

  it('counts long documents once for each part, by any text that may come to that', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 6_000 }), { minLength: 1, maxLength: 300 }), fc.nat({ max: 200 }), (sizes, queryTokens) => {
        // Text of a token for two bytes, the densest that is believed; a part holds 500 tokens with the query in it.
        const call = read(
          'ab'.repeat(queryTokens),
          sizes.map(tokens => 'ab'.repeat(tokens)),
        )
        const parts = sizes.reduce((sum, tokens) => sum + Math.max(1, Math.ceil(tokens / (500 - queryTokens))), 0)
        expect(searches(call)).toBeGreaterThanOrEqual(Math.ceil(parts / 100))
      }),
      { numRuns: 200, verbose: 1 },
    )
  })

  it('holds the query once for each document', () => {
    const query = 'what is it'
    const one = textBytes(read(query, ['a']).text)
    const many = textBytes(read(query, new Array(50).fill('a')).text)
    expect(many).toBeGreaterThanOrEqual(50 * query.length)
    expect(one).toBeLessThan(3 * query.length)
  })
})
