// The contents of a Gemini request: text is counted, payloads are taken out as media, references are named. Keeps no content.
import type { MediaPart } from '../core/call.ts'
import type { CallDraft } from './call-draft.ts'
import { IMAGE_HEAD } from './data-url.ts'
import { eitherSpelling } from './gemini-spelling.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import type { Place } from './json-place.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'

/** The place of one content (a role and its parts), or of a list of them: Google takes one where it lists many. */
export function contentsPlace(draft: CallDraft): Place {
  const measure = { tally: draft.text, mode: 'text' } as const
  const part = partPlace(draft)
  const content: Place = {
    measure,
    enter: kind => {
      if (kind === 'object' || kind === 'string') draft.items++
    },
    members: eitherSpelling({ role: NOT_PROMPT, parts: { ...part, items: part } }),
    others: wholePrompt(draft),
  }
  return { ...content, items: content }
}

function partPlace(draft: CallDraft): Place {
  const measure = { tally: draft.text, mode: 'text' } as const
  const places = new Map<string, Place>()
  const part: Place = { measure, members: places, others: wholePrompt(draft) }
  // A function may answer with parts of its own.
  const functionResponse: Place = {
    ...wholePrompt(draft),
    members: eitherSpelling({ id: NOT_PROMPT, willContinue: NOT_PROMPT, scheduling: NOT_PROMPT, parts: { ...part, items: part } }),
  }
  const own = eitherSpelling({
    text: { measure },
    thought: NOT_PROMPT,
    thoughtSignature: sealedPlace(draft),
    inlineData: inlinePlace(draft),
    fileData: {
      measure: null,
      enter: kind => {
        if (kind !== 'null') draft.opaqueInputs.add('a file by its URI')
      },
    },
    functionResponse,
  })
  for (const [name, place] of own) places.set(name, place)
  return part
}

/**
 * A sealed thought, which is read again as input (recorded: 99 tokens of 414 characters). What is sealed is text of unknown
 * classes, in base64: half of it counts as letters, half as digits.
 */
function sealedPlace(draft: CallDraft): Place {
  return {
    measure: null,
    keep: 0,
    scalar: ({ kind, bytes }) => {
      if (kind !== 'string') return
      const half = Math.floor(bytes / 2)
      draft.text.digits += half
      draft.text.letters += bytes - half
    },
  }
}

function inlinePlace(draft: CallDraft): Place {
  let bytes = 0
  let size: ImageSize | null = null
  let type = ''
  return {
    measure: null,
    enter: () => {
      bytes = 0
      size = null
      type = ''
    },
    leave: () => draft.addMedia({ kind: kindOf(type), bytes: Math.ceil((bytes * 3) / 4), detail: null }, size),
    members: eitherSpelling({
      mimeType: { scalar: ({ text }) => (type = text) },
      data: {
        keep: IMAGE_HEAD,
        scalar: ({ text, ...scalar }) => {
          bytes = scalar.bytes
          size = imageSize(text)
        },
      },
    }),
  }
}

function kindOf(type: string): MediaPart['kind'] {
  const [family = ''] = type.toLowerCase().split('/')
  return family === 'image' || family === 'audio' || family === 'video' ? family : 'document'
}
