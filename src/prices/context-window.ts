// The most tokens that a model reads at once, by family, where the price list does not say. A bound: where in doubt, the larger figure.

/** Sources: the providers' model pages. By any part of the name; the first that matches. Absent: not known. */
const FAMILIES: readonly (readonly [RegExp, bigint])[] = [
  [/gemini-(?:2\.5|3)/, 1_048_576n],
  // Groq writes it into the names.
  [/-4096(?:-|$)/, 4_096n],
  [/-8192(?:-|$)/, 8_192n],
  [/-32768(?:-|$)|llama-2-.*-32k/, 32_768n],
  [/llama-?3[._-][123]/, 131_072n],
  [/llama-?3(?![._])/, 8_192n],
  [/llama-?2-/, 4_096n],
  [/gemma-?2|gemma-7b/, 8_192n],
  [/mixtral-8x22b|mistral-7b/, 65_536n],
  [/mixtral-8x7b|mistral-(?:tiny|saba)/, 32_768n],
  [/mistral-(?:small|medium|large|nemo)|ministral|magistral|pixtral|devstral/, 262_144n],
  [/command-a(?:-|$)/, 262_144n],
  [/command-r/, 131_072n],
  [/command(?:$|-(?:light|nightly|text))/, 4_096n],
  [/titan-text-express/, 8_192n],
  [/titan-text-lite/, 4_096n],
  [/titan-text-premier/, 32_768n],
  [/(?:^|[-.])(?:davinci|babbage|curie|ada)(?:-00\d)?$/, 16_384n],
]

/** Null where it is not known. */
export function contextWindowOf(model: string): bigint | null {
  const name = model.toLowerCase()
  return FAMILIES.find(([family]) => family.test(name))?.[1] ?? null
}
