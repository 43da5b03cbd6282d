// A prompt or input that is a text, a list of texts, a list of token numbers, or a list of such lists. Counts; keeps nothing.
import type { CallDraft } from './call-draft.ts'
import type { Place } from './json-place.ts'
import type { RequestFields } from './request-fields.ts'

/** Each text and each list of token numbers is one item of the call. */
export function textsPlace(draft: CallDraft, fields: RequestFields, name: string): Place {
  const refuse = (): void => fields.refuse(`The field "${name}" must be a text, a list of texts, or lists of token numbers.`)
  const measure = { tally: draft.text, mode: 'text' } as const
  let numbers = 0
  const token: Place = {
    keep: 0,
    enter: kind => {
      if (kind !== 'number') refuse()
    },
    scalar: () => {
      draft.tokenIds++
    },
  }
  return {
    measure,
    enter: kind => {
      if (kind === 'string') draft.items++
      else if (kind === 'array') numbers = 0
      else if (kind !== 'null') refuse()
    },
    // A flat list of token numbers is one item.
    leave: () => {
      if (numbers > 0) draft.items++
    },
    items: {
      items: token,
      keep: 0,
      // Multimodal embeddings take objects: all that is in them counts.
      measure: { tally: draft.text, mode: 'json' },
      enter: kind => {
        if (kind === 'number') numbers++
        else if (kind === 'string' || kind === 'array' || kind === 'object') draft.items++
        else refuse()
      },
      scalar: ({ kind }) => {
        if (kind === 'number') draft.tokenIds++
      },
    },
  }
}
