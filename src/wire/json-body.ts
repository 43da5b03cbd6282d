// A JSON body through a reader: one scan, checked fields, and the call at its end, or the sentence that says why there is none. Knows no format.
import type { CallDraft } from './call-draft.ts'
import type { CallReader, ReadResult } from './format.ts'
import { JsonScanner } from './json.ts'
import type { Place } from './json-place.ts'
import type { RequestFields } from './request-fields.ts'

export interface BodyShape {
  readonly draft: CallDraft
  readonly fields: RequestFields
  /** Of the outermost object: nothing else is read. */
  readonly root: Place
  /** The call of a body that is JSON; it may still refuse, and is only used where nothing was refused. */
  complete(): ReadResult
}

export function openBodyReader({ draft, fields, root, complete }: BodyShape): CallReader {
  const scanner = new JsonScanner({
    ...root,
    enter: (kind, start) => {
      if (kind !== 'object') fields.refuse('The body must be a JSON object.')
      else root.enter?.(kind, start)
    },
  })
  return {
    push: piece => scanner.push(piece),
    end: () => {
      const end = scanner.end()
      if (end.kind === 'broken') return { kind: 'unreadable', why: `The body is not JSON that can be read: ${end.why} (byte ${end.at}).` }
      const read = complete()
      if (draft.overflow !== null) fields.refuse(`The body has ${draft.overflow}.`)
      return fields.problem === null ? read : { kind: 'unreadable', why: fields.problem }
    },
  }
}
