// One table behind its cache, against a map that is written at once: what was read, changed, forgotten or shrunk away is never told wrong.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createTable } from '../../src/sqlite/table.ts'

const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('put' as const, 'get', 'drop'), id: fc.constantFrom('a', 'b', 'c', 'd') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'forget', 'shrink'), id: fc.constant('') }) },
)

it('tells what was put last, and forgets what was not flushed', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), acts => {
      const rows = new Map<string, number>()
      const table = createTable<number>({
        read: id => rows.get(id) ?? null,
        write: (id, value) => void rows.set(id, value),
        drop: id => void rows.delete(id),
      })
      let [now, flushed] = [new Map<string, number>(), new Map<string, number>()]
      for (const [index, { kind, id }] of acts.entries()) {
        if (kind === 'put') {
          table.put(id, index)
          now.set(id, index)
        } else if (kind === 'drop') {
          table.drop(id)
          now.delete(id)
        } else if (kind === 'forget') {
          table.forget()
          now = new Map(flushed)
        } else if (kind !== 'get') {
          table.flush()
          if (kind === 'shrink') table.shrink(2)
          flushed = new Map(now)
          expect(rows).toEqual(flushed)
        }
        for (const each of kind === 'get' ? [id] : ['a', 'b', 'c', 'd']) expect(table.get(each)).toBe(now.get(each) ?? null)
      }
    }),
  )
})
