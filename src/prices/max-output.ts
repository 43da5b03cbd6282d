// The most tokens that a model writes in one answer, by family: no price list has it. A bound: where in doubt, the larger figure.

/** By the model's bare name; the first that matches. Absent: not known. Sources: the providers' model pages; of Titan, AWS's page of its parameters. */
const FAMILIES: readonly (readonly [RegExp, bigint])[] = [
  [/^gpt-5-pro/, 272_000n],
  [/^gpt-5/, 128_000n],
  [/^gpt-4\.1/, 32_768n],
  [/^(?:chatgpt-4o|gpt-4o|gpt-4\.5)/, 16_384n],
  [/^gpt-4-32k/, 32_768n],
  [/^gpt-4(?:$|-0)/, 8_192n],
  [/^gpt-4-(?:turbo|1|vision)/, 4_096n],
  [/^gpt-3\.5/, 4_096n],
  [/^o1-preview/, 32_768n],
  [/^o1-mini/, 65_536n],
  [/^(?:o1|o3|o4-mini|codex-mini)/, 100_000n],
  [/^claude-(?:instant|v?2|3-(?:opus|sonnet|haiku))/, 4_096n],
  [/^claude-3[-.]5-/, 8_192n],
  [/^claude-(?:3[-.]7-sonnet|sonnet-3[-.]7)/, 128_000n],
  [/^claude-(?:opus-4(?:$|[-.@](?:[01]$|[01][-@]|2))|4-opus)/, 32_000n],
  [/^claude-(?:opus-4[-.]5|4[-.]5-opus|sonnet-4[-.]5|haiku-4[-.]5|4[-.]5-haiku)/, 64_000n],
  [/^claude-(?:sonnet-4(?:$|[-.@](?:0$|0-|2))|4-sonnet)/, 64_000n],
  [/^claude-(?:(?:opus|sonnet)-4[-.][6-9]|4[-.][6-9]-(?:opus|sonnet))/, 128_000n],
  [/^gemini-(?:1\.5|2\.0)/, 8_192n],
  [/^gemini-(?:2\.5|3)/, 65_536n],
  [/^(?:amazon\.)?titan-text-express/, 8_192n],
  [/^(?:amazon\.)?titan-text-lite/, 4_096n],
  [/^(?:amazon\.)?titan-text-premier/, 3_072n],
  [/^command-a-(?:reasoning|plus)/, 65_536n],
  [/^command-a/, 8_192n],
  [/^(?:c4ai-aya|command)(?:$|-)/, 4_096n],
]

/** Region and vendor in front of a name (`us.anthropic.claude-…`, `openai/gpt-…`), and the mark of a fine-tuned one. */
const PREFIX = /^(?:.*\/)?(?:[a-z-]+\.){0,2}(?=(?:claude|gpt|gemini|o[134])\b)|^ft:/

/** The maximum output of a model in tokens, null where it is not known. `model` may be spelt with vendor and region. */
export function maxOutputOf(model: string): bigint | null {
  const bare = model.toLowerCase().replace(PREFIX, '')
  return FAMILIES.find(([family]) => family.test(bare))?.[1] ?? null
}
