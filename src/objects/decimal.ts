// The amounts of objects, exact. The schema has checked them before.
import { assert } from '../core/assert.ts'
import { parseDecimalUp } from '../core/money.ts'

/** An integer of 10^-places. */
export function decimal(text: string, places: number): bigint {
  const value = parseDecimalUp(text, places)
  assert(value !== null, 'the schema lets no other amount through')
  return value
}
