// OpenAI images: made from a text (JSON), edited (a form, or JSON), varied (a form). Assembles the readers and the meter; holds what images are asked by.
import { CallDraft } from './call-draft.ts'
import { dataUrl } from './data-url.ts'
import type { CallReader, Format, ReadResult, RequestHead } from './format.ts'
import { members, type Place } from './json-place.ts'
import { countField, type FormField, openFormReader, wordField } from './multipart-fields.ts'
import { type ImagesAsked, imageTokens } from './openai-images-bound.ts'
import { openMediaMeter } from './openai-media-meter.ts'
import { azureDeployment, matchSuffix } from './openai-path.ts'
import { NOT_PROMPT } from './openai-prompt.ts'
import { type OpenAiRequest, openOpenAiReader } from './openai-reader.ts'

const NAME = 'openai-images'
const ENDPOINTS = ['images/generations', 'images/edits', 'images/variations']

/** Fields that decide how an image looks or travels, and not what it costs. */
const NOT_READ = ['background', 'moderation', 'output_compression', 'output_format', 'response_format', 'style', 'user']

export const openAiImages: Format = {
  name: NAME,
  dialect: 'openai',
  match: head => {
    for (const endpoint of ENDPOINTS) {
      const found = matchSuffix(openAiImages, head, endpoint)
      if (found !== null) return found
    }
    return null
  },
  openReader: (head, endpoint) =>
    /^\s*multipart\//i.test(head.header('content-type') ?? '') ? openForm(head, endpoint) : openJson(head, endpoint),
  openMeter: (call, response) =>
    openMediaMeter(call, response, { ends: /^image_(?:generation|edit)\.completed$/, endings: call.choices, output: 'outputImage' }),
}

/** What is asked for, and how many pictures are sent along. */
interface Asked extends ImagesAsked {
  faithful: boolean
  readonly sent: (number | null)[]
}

const nothingAsked = (): Asked => ({ size: null, quality: null, partials: 0n, faithful: false, sent: [] })

/** The images asked for bound the output, as no field of the body does. */
function settle(draft: CallDraft, asked: Asked): void {
  for (const bytes of asked.sent) {
    // Later models always look closely; the first ones where they are told to.
    const detail = asked.faithful || !draft.models.every(model => /gpt-image-1(?:-mini)?$/.test(model)) ? 'original' : null
    draft.addMedia({ kind: 'image', bytes, detail })
  }
  draft.bound(imageTokens(asked, draft.models))
  // Every stream ends with its usage: it need not be asked for.
  draft.usageAsked = true
}

function openJson(head: RequestHead, endpoint: string): CallReader {
  const asked = nothingAsked()
  const reader = openOpenAiReader({
    format: NAME,
    endpoint,
    generates: true,
    pathModel: azureDeployment(head.path),
    members: request => jsonMembers(request, asked),
    complete: ({ draft }) => settle(draft, asked),
    boundField: () => 'n',
  })
  const end = (): ReadResult => {
    const read = reader.end()
    return read.kind === 'call' ? { ...read, amend: () => [] } : read
  }
  return { push: piece => reader.push(piece), end }
}

function jsonMembers({ draft, fields }: OpenAiRequest, asked: Asked): Record<string, Place> {
  return {
    ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
    prompt: { measure: { tally: draft.text, mode: 'text' }, enter: () => draft.items++ },
    n: fields.count('n', n => (draft.choices = n)),
    size: fields.word('size', size => (asked.size = size)),
    quality: fields.word('quality', quality => (asked.quality = quality)),
    partial_images: fields.count('partial_images', partials => (asked.partials = partials)),
    input_fidelity: fields.word('input_fidelity', fidelity => (asked.faithful = fidelity !== 'low')),
    images: { ...NOT_PROMPT, items: picturePlace(asked) },
    image: { ...picturePlace(asked), items: picturePlace(asked) },
    mask: picturePlace(asked),
  }
}

/** A picture that is sent along: a URL of either kind, or an object with one, or with a file's id. */
function picturePlace({ sent }: Asked): Place {
  const url: Place = {
    scalar: scalar => {
      if (scalar.kind === 'string') sent.push(dataUrl(scalar)?.bytes ?? null)
    },
  }
  return { ...NOT_PROMPT, ...url, members: members({ image_url: { ...url, members: members({ url }) }, url, file_id: url }) }
}

function openForm(head: RequestHead, endpoint: string): CallReader {
  const draft = new CallDraft()
  const asked = nothingAsked()
  const picture: FormField = { kind: 'payload', found: bytes => asked.sent.push(bytes) }
  const deployment = azureDeployment(head.path)
  return openFormReader(head.header('content-type'), {
    draft,
    fields: {
      ...Object.fromEntries(NOT_READ.map(name => [name, { kind: 'not-read' }])),
      model: wordField(model => draft.addModel(model)),
      prompt: { kind: 'prompt' },
      n: countField('n', n => (draft.choices = n)),
      size: wordField(size => (asked.size = size)),
      quality: wordField(quality => (asked.quality = quality)),
      partial_images: countField('partial_images', partials => (asked.partials = partials)),
      input_fidelity: wordField(fidelity => (asked.faithful = fidelity !== 'low')),
      stream: wordField(stream => (draft.streaming = /^(?:true|1)$/i.test(stream))),
      image: picture,
      mask: picture,
    },
    others: isFile => (isFile ? picture : { kind: 'prompt' }),
    complete: () => {
      if (deployment !== null) draft.models.splice(0, draft.models.length, deployment)
      if (draft.models.length === 0) return { kind: 'unreadable', why: 'The field "model" is missing.' }
      settle(draft, asked)
      if (draft.overflow !== null) return { kind: 'unreadable', why: `The body has ${draft.overflow}.` }
      return { kind: 'call', call: draft.call(NAME, endpoint, true), amend: () => [] }
    },
  })
}
