// The content blocks of a Messages request: text is counted, payloads are taken out as media, references are named. Keeps no content.
import type { CallDraft } from './call-draft.ts'
import { IMAGE_HEAD } from './data-url.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import { members, type Place } from './json-place.ts'
import { cacheMarker, NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { TextTally } from './text-tally.ts'

/** One open block: what it is may be said after its payload. */
interface Block {
  type: string
  /** The `type` of its `source`, empty where it has no source. */
  source: string
  /** Bytes of `source.data` as they stand in the body, and what it counts if it turns out to be text. */
  dataBytes: number
  /** Of an image, where its payload tells it. */
  size: ImageSize | null
  data: TextTally
}

/** The place of one block of `content` or `system`; blocks within blocks are read as deep as they go. */
export function blockPlace(draft: CallDraft): Place {
  /** Null for what stands at a block's place and is none. */
  const open: (Block | null)[] = []
  const places = new Map<string, Place>()
  const block: Place = {
    measure: { tally: draft.text, mode: 'text' },
    members: places,
    others: wholePrompt(draft),
    enter: kind => {
      if (kind === 'object') open.push({ type: '', source: '', dataBytes: 0, size: null, data: new TextTally() })
      else if (kind === 'array') open.push(null)
    },
    leave: () => settle(draft, open.pop() ?? null),
  }
  const word = (found: (block: Block, text: string) => void): Place => ({
    ...NOT_PROMPT,
    scalar: ({ text }) => {
      const top = open.at(-1)
      if (top) found(top, text)
    },
  })
  // Results of tools, documents and searches hold blocks of their own.
  const content: Place = { measure: { tally: draft.text, mode: 'text' }, items: block }
  places.set(
    'type',
    word((top, text) => (top.type = text)),
  )
  places.set('text', { measure: { tally: draft.text, mode: 'text' } })
  places.set('content', content)
  places.set('source', {
    members: sourceMembers(
      draft,
      open,
      word((top, text) => (top.source = text)),
      content,
    ),
  })
  places.set('cache_control', cacheMarker(draft))
  // A proof of thinking, which the model does not read.
  places.set('signature', NOT_PROMPT)
  return block
}

function sourceMembers(draft: CallDraft, open: readonly (Block | null)[], type: Place, content: Place): ReadonlyMap<string, Place> {
  const payload = new TextTally()
  const data: Place = {
    keep: IMAGE_HEAD,
    measure: { tally: payload, mode: 'json' },
    scalar: ({ bytes, text }) => {
      const top = open.at(-1)
      if (top) {
        top.dataBytes = bytes
        top.size = imageSize(text)
        move(payload, top.data)
      }
    },
    leave: () => move(payload, draft.text),
  }
  return members({ type, data, content, media_type: NOT_PROMPT })
}

function settle(draft: CallDraft, block: Block | null): void {
  if (block === null) return
  if (block.type === 'container_upload') draft.opaqueInputs.add('a file by its id')
  const kind = block.type === 'image' ? 'image' : 'document'
  if (block.source === 'text') move(block.data, draft.text)
  else if (block.dataBytes > 0) draft.addMedia({ kind, bytes: Math.ceil((block.dataBytes * 3) / 4), detail: null }, block.size)
  else if (block.source === 'url' || block.source === 'file') {
    if (kind === 'image') draft.addMedia({ kind, bytes: null, detail: null })
    else draft.opaqueInputs.add(block.source === 'url' ? 'a document by its URL' : 'a file by its id')
  }
}

function move(from: TextTally, to: TextTally): void {
  for (const kind of KINDS) {
    to[kind] += from[kind]
    from[kind] = 0
  }
}
const KINDS = ['letters', 'digits', 'spaces', 'marks', 'high', 'dense'] as const
