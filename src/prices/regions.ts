// What an answer costs more where it is made in a region of the caller's choice: a small table of our own, because no price list has it as a factor.
import { type Factor, ONCE } from './exact.ts'

/** The one premium that anyone publishes: a tenth, on tokens of every kind. */
const PREMIUM: Factor = { over: 11n, under: 10n }

/** By provider, the models without it; all others, later ones above all, have it. Bedrock's regions are entries of their own in the list. */
const WITHOUT: ReadonlyMap<string, RegExp> = new Map([
  // `inference_geo` is refused for models before Opus 4.6 (Anthropic's pricing page), so that none has to be named.
  ['anthropic', /^$/],
  // Claude on Vertex from 4.5 on; Google's own models cost the same everywhere (the comments of the price list; Vertex's pricing page).
  ['google', /^(?!claude)|^claude-(?:[23]|instant|(?:4-)?(?:opus|sonnet|haiku)-4(?:$|[-@](?:[01]$|[01]-|20))|4-(?:opus|sonnet)$)/],
  // Models released on or after 2026-03-05, which is that of GPT-5.4 (OpenAI's guide to data residency).
  [
    'openai',
    /^(?:gpt-[34]|gpt-5(?:$|-|\.[0-3])|o\d|chatgpt-4|codex-mini|computer-use|text-|davinci|babbage|whisper|tts|dall-e|gpt-image-1|gpt-audio|ft:)/,
  ],
  // The endpoint in the USA (xAI's pricing page).
  ['x-ai', /^$/],
])

/** `model`: the entry's id in the price list. */
export function regionalFactor(provider: string, model: string): Factor {
  const without = WITHOUT.get(provider)
  return without === undefined || without.test(model.toLowerCase()) ? ONCE : PREMIUM
}
