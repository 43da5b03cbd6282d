// The content blocks of Converse and Nova: text is counted, payloads are taken out as media, references are named. Keeps no content.
import type { MediaPart } from '../core/call.ts'
import type { CallDraft } from './call-draft.ts'
import { IMAGE_HEAD } from './data-url.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import { members, type Place } from './json-place.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'

/** The members of one block of `content` or `system`; results of tools hold blocks of their own. What is not named is counted as prompt. */
export function converseBlockMembers(draft: CallDraft): ReadonlyMap<string, Place> {
  const text: Place = { measure: { tally: draft.text, mode: 'text' } }
  const image = mediaPlace(draft, 'image')
  const block = new Map<string, Place>([
    ['text', text],
    ['image', image],
    ['video', mediaPlace(draft, 'video')],
    ['audio', mediaPlace(draft, 'audio')],
    ['document', mediaPlace(draft, 'document')],
    ['cachePoint', cachePoint(draft)],
    ['guardContent', { members: members({ text: { measure: text.measure ?? null }, image }), others: wholePrompt(draft) }],
    // The signature is a proof of thinking, which the model does not read.
    ['reasoningContent', { ...wholePrompt(draft), members: members({ reasoningText: { members: members({ signature: NOT_PROMPT }) } }) }],
  ])
  block.set('toolResult', {
    members: members({ content: { items: { members: block, others: wholePrompt(draft) } } }),
    others: wholePrompt(draft),
  })
  return block
}

/** One block, counted as text but for what has a shape of its own. */
export const converseBlock = (draft: CallDraft): Place => ({
  measure: { tally: draft.text, mode: 'text' },
  members: converseBlockMembers(draft),
  others: wholePrompt(draft),
})

/** A marker up to which the prompt is written to the cache. */
export function cachePoint(draft: CallDraft): Place {
  return {
    measure: null,
    enter: kind => {
      if (kind === 'object') draft.marker('5m')
    },
    members: members({
      ttl: {
        scalar: ({ text: ttl }) => {
          if (ttl === '1h') draft.marker('1h')
        },
      },
    }),
  }
}

/** A payload in `source`: its bytes as base64, or its place in S3; documents may also be text, or blocks of text. */
export function mediaPlace(draft: CallDraft, kind: MediaPart['kind']): Place {
  let bytes: number | null = null
  let size: ImageSize | null = null
  let shown = false
  const text: Place = { measure: { tally: draft.text, mode: 'text' }, enter: () => (shown = true) }
  return {
    measure: null,
    enter: () => {
      bytes = null
      size = null
      shown = false
    },
    leave: () => {
      if (bytes !== null) draft.addMedia({ kind, bytes, detail: null }, size)
      else if (!shown) draft.opaqueInputs.add(kind === 'image' ? 'an image by reference' : `${kind} by reference`)
    },
    members: members({
      format: NOT_PROMPT,
      name: { measure: { tally: draft.text, mode: 'text' } },
      context: { measure: { tally: draft.text, mode: 'text' } },
      source: {
        members: members({
          bytes: {
            keep: kind === 'image' ? IMAGE_HEAD : 0,
            scalar: scalar => {
              if (scalar.kind !== 'string') return
              bytes = Math.ceil((scalar.bytes * 3) / 4)
              size = kind === 'image' ? imageSize(scalar.text) : null
            },
          },
          text,
          content: text,
        }),
      },
    }),
  }
}
