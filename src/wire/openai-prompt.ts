// The prompt of OpenAI-shaped chat requests: text is counted, media and references are taken out, tools are noted. Keeps no content.
import type { MediaPart } from '../core/call.ts'
import type { CallDraft } from './call-draft.ts'
import { dataUrl, IMAGE_HEAD } from './data-url.ts'
import type { ImageSize } from './image-size.ts'
import { type Measure, members, type Place, type Scalar } from './json-place.ts'
import type { RequestFields } from './request-fields.ts'

/** Counts strings only: what is around them is framing, which is bounded by the number of messages. */
const text = (draft: CallDraft): Measure => ({ tally: draft.text, mode: 'text' })
/** Counts all there is: schemas and arguments are prompts with their keys and brackets. */
const json = (draft: CallDraft): Measure => ({ tally: draft.text, mode: 'json' })

/** A field that is prompt as a whole, whatever is in it. */
export const wholePrompt = (draft: CallDraft): Place => ({ measure: json(draft) })

/** A field that no model reads. */
export const NOT_PROMPT: Place = { measure: null }

/** The `messages` of a chat. */
export function messagesPlace(draft: CallDraft, fields: RequestFields): Place {
  const marker = cacheMarker(draft)
  return {
    measure: null,
    enter: kind => {
      if (kind !== 'array') fields.refuse('The field "messages" must be a list.')
    },
    leave: ({ count }) => (draft.items += count),
    items: {
      // Fields of a message that we do not know may be prompt as well.
      others: wholePrompt(draft),
      members: members({
        role: NOT_PROMPT,
        content: { measure: text(draft), items: contentPart(draft) },
        name: { measure: text(draft) },
        tool_call_id: { measure: text(draft) },
        audio: { members: members({ id: opaque(draft, 'an earlier audio answer') }) },
        cache_control: marker,
      }),
    },
  }
}

/** `tools` or `functions`: their schemas are prompt; those that the provider runs by itself are named. */
export function toolsPlace(draft: CallDraft): Place {
  return {
    measure: json(draft),
    leave: ({ count }) => (draft.tools ||= count > 0),
    items: {
      members: members({
        type: {
          scalar: ({ kind, text: type }) => {
            if (kind === 'string' && type !== 'function' && type !== 'custom') draft.addServerTool(type.slice(0, 64))
          },
        },
        cache_control: cacheMarker(draft),
      }),
    },
  }
}

/** `response_format`: anything but plain text brings a hidden prompt, as a tool does. */
export function responseFormatPlace(draft: CallDraft): Place {
  return {
    measure: json(draft),
    members: members({ type: { scalar: ({ text: type }) => (draft.tools ||= type !== 'text') } }),
  }
}

/** A value that switches on something that the provider runs by itself, unless it is null, false or an empty list. */
export function serverToolPlace(draft: CallDraft, name: string): Place {
  return {
    measure: null,
    enter: kind => {
      if (kind !== 'null' && kind !== 'false' && kind !== 'array') draft.addServerTool(name)
    },
    leave: ({ count }) => {
      if (count > 0) draft.addServerTool(name)
    },
  }
}

/** A `cache_control` marker (Anthropic's, through OpenRouter and others). */
export function cacheMarker(draft: CallDraft): Place {
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

function contentPart(draft: CallDraft): Place {
  return {
    others: wholePrompt(draft),
    members: members({
      type: NOT_PROMPT,
      text: { measure: text(draft) },
      image_url: media(draft, 'image'),
      video_url: media(draft, 'video'),
      audio_url: media(draft, 'audio'),
      // Mistral's documents.
      document_url: media(draft, 'document'),
      input_audio: payload(draft, 'audio', 'data'),
      file: filePlace(draft),
      file_id: opaque(draft, 'a file by its id'),
      cache_control: cacheMarker(draft),
    }),
  }
}

/** A URL, or an object with one: a `data:` URL is a payload, any other a reference. */
function media(draft: CallDraft, kind: MediaPart['kind']): Place {
  let bytes: number | null = null
  let detail: string | null = null
  let known: MediaPart['kind'] = kind
  let size: ImageSize | null = null
  const read = (scalar: Scalar): void => {
    const payload = dataUrl(scalar)
    bytes = payload?.bytes ?? null
    known = payload?.kind ?? kind
    size = payload?.size ?? null
  }
  const add = (): void => {
    draft.addMedia({ kind: known, bytes, detail }, size)
    if (bytes === null && known !== 'image') draft.opaqueInputs.add(`${known} by its URL`)
  }
  return {
    measure: null,
    keep: IMAGE_HEAD,
    scalar: scalar => {
      if (scalar.kind !== 'string') return
      detail = null
      read(scalar)
      add()
    },
    enter: type => {
      if (type !== 'object') return
      bytes = null
      detail = null
      known = kind
      size = null
    },
    leave: add,
    members: members({
      url: { keep: IMAGE_HEAD, scalar: read },
      detail: { scalar: ({ kind: type, text: value }) => (detail = type === 'string' ? value.slice(0, 16) : null) },
    }),
  }
}

/** An object that holds a base64 payload under `key`. */
function payload(draft: CallDraft, kind: MediaPart['kind'], key: string): Place {
  const data: Place = { keep: 64, scalar: scalar => draft.addMedia({ kind, bytes: Math.ceil((scalar.bytes * 3) / 4), detail: null }) }
  return { measure: null, members: members({ [key]: data }) }
}

function filePlace(draft: CallDraft): Place {
  return {
    measure: null,
    members: members({
      file_id: opaque(draft, 'a file by its id'),
      file_data: {
        keep: 64,
        scalar: scalar => {
          const known = dataUrl(scalar)
          // OpenRouter takes URLs here as well.
          if (known === null && scalar.text.startsWith('http')) draft.opaqueInputs.add('a file by its URL')
          else draft.addMedia({ kind: known?.kind ?? 'document', bytes: known?.bytes ?? scalar.bytes, detail: null })
        },
      },
    }),
  }
}

function opaque(draft: CallDraft, name: string): Place {
  return {
    measure: null,
    scalar: ({ kind }) => {
      if (kind === 'string') draft.opaqueInputs.add(name)
    },
  }
}
