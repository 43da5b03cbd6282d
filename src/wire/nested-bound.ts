// Where a bound goes that stands one level down, in an object of settings: offsets while a body is read, splices afterwards.
import { assert } from '../core/assert.ts'
import type { Splice } from './format.ts'
import type { Place, Span } from './json-place.ts'
import type { RequestFields } from './request-fields.ts'

export class NestedBound {
  readonly #settings: string
  readonly #field: string
  #open = 0
  #empty = true
  /** The value of the settings; an object, or null. */
  #holder: (Span & { readonly isObject: boolean; readonly empty: boolean }) | null = null
  #value: Span | null = null

  /** For instance `generationConfig` and `maxOutputTokens`: the names that are put in where the body has none. */
  constructor(settings: string, field: string) {
    this.#settings = settings
    this.#field = field
  }

  /** The outermost object begins at this byte. */
  opened(at: number): void {
    this.#open = at
  }

  closed(memberCount: number): void {
    this.#empty = memberCount === 0
  }

  /** The place of the settings; `inner` says what is in it. */
  settingsPlace(fields: RequestFields, inner: Place): Place {
    return {
      ...inner,
      enter: kind => {
        if (kind !== 'object' && kind !== 'null') fields.refuse(`The field "${this.#settings}" must be an object.`)
      },
      scalar: ({ start, end }) => (this.#holder = { start, end, isObject: false, empty: true }),
      leave: ({ start, end, count }) => (this.#holder = { start, end, isObject: true, empty: count === 0 }),
    }
  }

  /** The bound's value stands here, whatever it is. */
  found({ start, end }: Span): void {
    this.#value = { start, end }
  }

  /** What puts `bound` in, or in the place of the one that is there; nothing for null. */
  splices(bound: bigint | null): readonly Splice[] {
    if (bound === null) return []
    assert(bound >= 0n, 'a bound is not negative')
    const member = `"${this.#field}":${bound}`
    if (this.#value !== null) return [replace(this.#value, bound.toString())]
    const holder = this.#holder
    if (holder === null) {
      return [{ at: this.#open + 1, remove: 0, insert: `"${this.#settings}":{${member}}${this.#empty ? '' : ','}` }]
    }
    if (!holder.isObject) return [replace(holder, `{${member}}`)]
    return [{ at: holder.start + 1, remove: 0, insert: `${member}${holder.empty ? '' : ','}` }]
  }
}

const replace = ({ start, end }: Span, insert: string): Splice => ({ at: start, remove: end - start, insert })
