// Cohere's embeddings (versions 1 and 2): texts and pictures in, vectors out. Input only, nothing is generated.
import type { CallDraft } from './call-draft.ts'
import { matchVersioned } from './cohere-chat.ts'
import { openCohereMeter } from './cohere-meter.ts'
import { dataUrl, IMAGE_HEAD } from './data-url.ts'
import type { Format } from './format.ts'
import { members, type Place } from './json-place.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { openOpenAiReader } from './openai-reader.ts'

const NOT_READ = ['input_type', 'embedding_types', 'truncate', 'output_dimension', 'max_tokens', 'priority']

export const cohereEmbed: Format = {
  name: 'cohere-embed',
  dialect: 'openai',
  match: head => matchVersioned(cohereEmbed, head, 'embed', ['v1/embed', 'v2/embed']),
  openReader: (_head, endpoint) =>
    openOpenAiReader({
      format: 'cohere-embed',
      endpoint,
      generates: false,
      pathModel: null,
      members: ({ draft }) => embedMembers(draft),
      boundField: () => 'max_tokens',
    }),
  openMeter: openCohereMeter,
}

function embedMembers(draft: CallDraft): Record<string, Place> {
  const text: Place = { measure: { tally: draft.text, mode: 'text' } }
  const picture = picturePlace(draft)
  const part: Place = {
    members: members({ type: NOT_PROMPT, text, image_url: { ...picture, members: members({ url: picture }) } }),
    others: wholePrompt(draft),
  }
  return {
    ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
    texts: { ...text, items: { enter: () => draft.items++ } },
    images: { ...NOT_PROMPT, leave: ({ count }) => (draft.items += count), items: picture },
    inputs: { ...wholePrompt(draft), items: { enter: () => draft.items++, members: members({ content: { ...text, items: part } }) } },
  }
}

/** A `data:` URL; any other text is a reference. */
function picturePlace(draft: CallDraft): Place {
  return {
    measure: null,
    keep: IMAGE_HEAD,
    scalar: scalar => {
      if (scalar.kind !== 'string') return
      const known = dataUrl(scalar)
      draft.addMedia({ kind: 'image', bytes: known?.bytes ?? null, detail: null }, known?.size ?? null)
    },
  }
}
