// Counts a body's tokens as the tokenizer of GPT-4o has them: text cut into safe runs, payloads left out. Runs in the worker only.
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import type { TokenCount } from '../core/token-bound.ts'
import { bodyText } from './body-text.ts'
import { cutRuns } from './runs.ts'

/** What looks like a special token in a prompt is text. */
const AS_TEXT = { disallowedSpecial: new Set<string>() }

export function countBody(body: Uint8Array): TokenCount {
  const { text, payloads, rest } = bodyText(body)
  let tokens = 0
  for (const piece of cutRuns(text)) tokens += countTokens(piece, AS_TEXT)
  return { tokens, payloads, rest }
}
