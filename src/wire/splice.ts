// Applies splices to a body: bytes go out, text goes in, and every other byte stays as it was. Knows no format.
import { assert } from '../core/assert.ts'
import type { Splice } from './format.ts'

const ENCODER = new TextEncoder()

/** A new body with `splices` applied; they are in order, do not overlap, and lie inside `body` (asserted). */
export function splice(body: Uint8Array, splices: readonly Splice[]): Uint8Array {
  const inserts = splices.map(({ insert }) => ENCODER.encode(insert))
  const grown = splices.reduce((sum, { remove }, i) => sum + (inserts[i]?.length ?? 0) - remove, body.length)
  const amended = new Uint8Array(grown)
  let read = 0
  let written = 0
  for (const [i, { at, remove }] of splices.entries()) {
    assert(at >= read && remove >= 0 && at + remove <= body.length, 'splices are in order, apart, and inside the body')
    amended.set(body.subarray(read, at), written)
    written += at - read
    const insert = inserts[i]
    if (insert !== undefined) amended.set(insert, written)
    written += insert?.length ?? 0
    read = at + remove
  }
  amended.set(body.subarray(read), written)
  return amended
}
