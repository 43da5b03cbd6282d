// Where an OpenAI-shaped body takes a bound and a request for usage: offsets while it is read, splices afterwards. Never rewrites a byte beside them.
import { assert } from '../core/assert.ts'
import type { Amendment, Splice } from './format.ts'
import { members, type Place, type Span } from './json-place.ts'
import type { RequestFields } from './request-fields.ts'

/** Providers that report usage in every stream, so that they need not be asked; Mistral refuses fields that it does not know. */
const REPORT_UNASKED: ReadonlySet<string> = new Set(['mistral', 'groq', 'deepseek', 'openrouter', 'x-ai', 'perplexity', 'cohere', 'zai'])

/** A field that declares a bound: where its value stands, and whether that is null. */
interface BoundField extends Span {
  readonly name: string
  readonly isNull: boolean
}

export class OpenAiOffsets {
  #open = 0
  #empty = true
  readonly #bounds: BoundField[] = []
  /** The value of `stream_options`; `open` where it is an object. */
  #options: (Span & { readonly isObject: boolean; readonly empty: boolean }) | null = null
  #includeUsage: Span | null = null
  #toolUses: Span | null = null
  #model: Span | null = null

  /** The outermost object begins at this byte. */
  opened(at: number): void {
    this.#open = at
  }

  closed(memberCount: number): void {
    this.#empty = memberCount === 0
  }

  bound(name: string, span: Span, isNull: boolean): void {
    this.#bounds.push({ name, start: span.start, end: span.end, isNull })
  }

  /** The value of `model`, where the body names one. */
  model({ start, end }: Span): void {
    this.#model = { start, end }
  }

  get namesModel(): boolean {
    return this.#model !== null
  }

  /** The value of `max_tool_calls`, whatever it is. */
  toolUses({ start, end }: Span): void {
    this.#toolUses = { start, end }
  }

  /** The place of `stream_options`; `asked` is told whether the client asks for usage. */
  streamOptions(fields: RequestFields, asked: (usage: boolean) => void): Place {
    return {
      measure: null,
      enter: kind => {
        if (kind !== 'object' && kind !== 'null') fields.refuse('The field "stream_options" must be an object.')
      },
      scalar: ({ start, end }) => (this.#options = { start, end, isObject: false, empty: true }),
      leave: ({ start, end, count }) => (this.#options = { start, end, isObject: true, empty: count === 0 }),
      members: members({
        include_usage: {
          enter: kind => {
            if (kind !== 'true' && kind !== 'false' && kind !== 'null')
              fields.refuse('The field "stream_options.include_usage" must be true or false.')
          },
          scalar: ({ kind, start, end }) => {
            this.#includeUsage = { start, end }
            asked(kind === 'true')
          },
        },
      }),
    }
  }

  /** `field` is the bound's name where none is declared; declared ones keep their names and get the new value. */
  splices(amendment: Amendment, field: string, usageAsked: boolean): readonly Splice[] {
    const inserted: string[] = []
    const splices: Splice[] = []
    const { outputBound, toolUses = null, includeUsage, provider, model = null } = amendment
    if (model !== null && this.#model !== null) splices.push(replacement(this.#model, JSON.stringify(model)))
    if (outputBound !== null) {
      assert(outputBound >= 0n, 'a bound is not negative')
      const replaced = this.#declared(field)
      splices.push(...replaced.map(span => replacement(span, outputBound.toString())))
      if (replaced.length === 0) inserted.push(`"${field}":${outputBound}`)
    }
    if (toolUses !== null) {
      if (this.#toolUses === null) inserted.push(`"max_tool_calls":${toolUses}`)
      else splices.push(replacement(this.#toolUses, toolUses.toString()))
    }
    if (includeUsage && !usageAsked && !(provider !== null && REPORT_UNASKED.has(provider))) {
      const option = this.#usageOption()
      if (option === null) inserted.push('"stream_options":{"include_usage":true}')
      else splices.push(option)
    }
    if (inserted.length > 0) splices.push({ at: this.#open + 1, remove: 0, insert: inserted.join(',') + (this.#empty ? '' : ',') })
    return splices.sort((a, b) => a.at - b.at)
  }

  /** Fields whose value makes way: those that declare a bound; none doing so, the one of this name, which is null. */
  #declared(field: string): readonly BoundField[] {
    const declared = this.#bounds.filter(bound => !bound.isNull)
    return declared.length > 0 ? declared : this.#bounds.filter(bound => bound.name === field)
  }

  #usageOption(): Splice | null {
    if (this.#includeUsage !== null) return replacement(this.#includeUsage, 'true')
    if (this.#options === null) return null
    const { start, isObject, empty } = this.#options
    if (!isObject) return replacement(this.#options, '{"include_usage":true}')
    return { at: start + 1, remove: 0, insert: `"include_usage":true${empty ? '' : ','}` }
  }
}

const replacement = ({ start, end }: Span, insert: string): Splice => ({ at: start, remove: end - start, insert })
