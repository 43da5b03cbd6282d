// Which models may think without showing it, by name: the one place where that is known. Judges names only.

/** Source: the providers' model pages. OpenAI's o-series and gpt-5 and later (not their chat variants), Gemini 2.5 and later, Grok 4 and later. */
const HIDES_REASONING: readonly RegExp[] = [
  /^o\d+(?:-|$)/,
  /^gpt-(?:[5-9]|[12]\d)(?!\d)(?!.*-chat)/,
  /^(?:codex|computer-use|chatgpt-o)/,
  /^gemini-(?:2\.5|[3-9]|\d{2,})/,
  /^grok-(?:[4-9]|\d{2,}|code)(?!.*non-reasoning)/,
]

/** Whether an answer of this model may have cost more output than it shows. `model` as the provider or the client names it, any prefix. */
export function hidesReasoning(model: string): boolean {
  const name = bareName(model)
  return HIDES_REASONING.some(pattern => pattern.test(name))
}

/** Without a vendor in front (`openai/`, `openai.`), the mark of a fine-tuned model, and what follows a colon (`:free`, an organisation). */
const bareName = (model: string): string =>
  model
    .toLowerCase()
    .replace(/^.*\//, '')
    .replace(/^(?:[a-z]+\.)?openai\./, '')
    .replace(/^ft:/, '')
    .replace(/:.*$/, '')
