// The meter of an answer that is one JSON document: scans it as it comes, and asks its format what that says. Passes every byte on as it is.
import type { UsageReading } from '../core/usage.ts'
import type { Meter } from './format.ts'
import { JsonScanner } from './json.ts'
import type { Place } from './json-place.ts'

/** How far a document has come: `ended` when no more bytes come, `broken` when it is not JSON. */
export interface DocumentState {
  readonly ended: boolean
  readonly broken: boolean
}

/** `read` is asked at any time for what is known so far. */
export function openDocumentMeter(place: Place, read: (state: DocumentState) => UsageReading): Meter {
  const scanner = new JsonScanner(place)
  let ended = false
  return {
    push: piece => {
      scanner.push(piece)
      return null
    },
    end: () => {
      ended = true
      scanner.end()
      return null
    },
    reading: () => read({ ended, broken: scanner.fault !== null }),
  }
}
