// The input of an OpenAI Responses request: text is counted, payloads are taken out as media, what is stored elsewhere is named. Keeps no content.
import type { CallDraft } from './call-draft.ts'
import { dataUrl, IMAGE_HEAD } from './data-url.ts'
import { imageSize } from './image-size.ts'
import { members, type Place, type Scalar } from './json-place.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import type { RequestFields } from './request-fields.ts'

/** `input`: a text, or a list of items. */
export function inputPlace(draft: CallDraft, fields: RequestFields): Place {
  return {
    measure: { tally: draft.text, mode: 'text' },
    enter: kind => {
      if (kind === 'string') draft.items++
      else if (kind !== 'array' && kind !== 'null') fields.refuse('The field "input" must be a text or a list.')
    },
    leave: ({ count }) => (draft.items += count),
    items: itemPlace(draft),
  }
}

/** A field that refers to what the provider keeps: named unless it is null or empty. */
export function stored(draft: CallDraft, name: string): Place {
  return {
    ...NOT_PROMPT,
    enter: kind => {
      if (kind === 'object') draft.opaqueInputs.add(name)
    },
    scalar: ({ kind, bytes }) => {
      if (kind === 'string' && bytes > 0) draft.opaqueInputs.add(name)
    },
  }
}

/** A message, a call of a tool and its result, or a thought: whatever is not named is counted as it stands. */
function itemPlace(draft: CallDraft): Place {
  const text: Place = { measure: { tally: draft.text, mode: 'text' } }
  return {
    others: wholePrompt(draft),
    members: members({
      type: {
        ...NOT_PROMPT,
        scalar: ({ text: type }) => {
          if (type === 'item_reference') draft.opaqueInputs.add('an item by its id')
        },
      },
      id: NOT_PROMPT,
      status: NOT_PROMPT,
      role: NOT_PROMPT,
      content: { ...text, items: partPlace(draft) },
      // What a tool gave back: a text, a list of parts, or the picture of a screen.
      output: { ...partPlace(draft), items: partPlace(draft) },
      summary: { items: { ...text, members: members({ type: NOT_PROMPT }) } },
      encrypted_content: sealed(draft),
      // A generated image that is sent back.
      result: {
        ...text,
        keep: IMAGE_HEAD,
        scalar: ({ kind, bytes, text: head }) => {
          if (kind === 'string' && bytes > 1_024) draft.addMedia({ kind: 'image', bytes: decoded(bytes), detail: null }, imageSize(head))
        },
      },
    }),
  }
}

function partPlace(draft: CallDraft): Place {
  const text: Place = { measure: { tally: draft.text, mode: 'text' } }
  const part: PartState = { type: '', url: null, fileId: false, detail: null }
  return {
    ...text,
    others: wholePrompt(draft),
    enter: () => Object.assign(part, { type: '', url: null, fileId: false, detail: null }),
    leave: () => settle(draft, part),
    members: members({
      type: { ...NOT_PROMPT, scalar: scalar => (part.type = scalar.text) },
      text,
      annotations: NOT_PROMPT,
      logprobs: NOT_PROMPT,
      image_url: { ...NOT_PROMPT, keep: IMAGE_HEAD, scalar: scalar => (part.url = scalar.kind === 'string' ? scalar : null) },
      file_url: { ...NOT_PROMPT, scalar: scalar => (part.url = scalar.kind === 'string' ? scalar : null) },
      file_data: { ...NOT_PROMPT, scalar: scalar => (part.url = scalar.kind === 'string' ? scalar : null) },
      file_id: { ...NOT_PROMPT, scalar: ({ kind }) => (part.fileId = kind === 'string') },
      detail: { ...NOT_PROMPT, scalar: ({ kind, text: detail }) => (part.detail = kind === 'string' ? detail.slice(0, 16) : null) },
      encrypted_content: sealed(draft),
      input_audio: {
        ...NOT_PROMPT,
        members: members({
          data: { keep: 0, scalar: ({ bytes }) => draft.addMedia({ kind: 'audio', bytes: decoded(bytes), detail: null }) },
        }),
      },
    }),
  }
}

interface PartState {
  type: string
  url: Scalar | null
  fileId: boolean
  detail: string | null
}

/** A picture of unknown size has a bound of its own; a file does not. */
function settle(draft: CallDraft, { type, url, fileId, detail }: PartState): void {
  if (url === null && !fileId) return
  const payload = url === null ? null : dataUrl(url)
  if (payload !== null) draft.addMedia({ kind: payload.kind ?? 'document', bytes: payload.bytes, detail }, payload.size)
  else if (type === 'input_image' || type === 'computer_screenshot') draft.addMedia({ kind: 'image', bytes: null, detail })
  else if (url !== null && !/^https?:/i.test(url.text)) draft.addMedia({ kind: 'document', bytes: decoded(url.bytes), detail })
  else draft.opaqueInputs.add(fileId ? 'a file by its id' : 'a file by its URL')
}

/** Thoughts that come back sealed: base64 of bytes that are not fewer than those of their text, which is seldom two bytes a token. */
function sealed(draft: CallDraft): Place {
  return {
    ...NOT_PROMPT,
    keep: 0,
    scalar: ({ bytes }) => {
      draft.tokenIds += Math.ceil(bytes / 2)
    },
  }
}

const decoded = (base64Bytes: number): number => Math.ceil((base64Bytes * 3) / 4)
