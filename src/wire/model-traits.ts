// What a model's name tells about its billing, where no field of the request does. Judges names only.

/** Models that search the web on every call (OpenAI `-search-preview`, `-search-api`, OpenRouter's `:online`). */
export const searchesByItself = (model: string): boolean => /-search-(?:preview|api)\b|:online$/i.test(model)

/** Agents, which run tools and other models by themselves: Groq's, Perplexity's for research, xAI's of several. */
export const isServerAgent = (model: string): boolean => /(?:^|\/)(?:compound(?:-|$)|sonar-deep-research|grok-.*multi-agent)/i.test(model)

/** Whether a call of this model is no more than it says: nothing runs that its request does not name. */
export const isPlainModel = (model: string): boolean => !searchesByItself(model) && !isServerAgent(model)

/** OpenAI's completion models, which stop after 16 tokens unless told otherwise; other servers have other defaults. */
export const stopsAtSixteen = (model: string): boolean =>
  /^(?:gpt-3\.5-turbo-instruct|(?:text-)?(?:davinci|babbage|curie|ada)-\d)/.test(model)

/** Gemini models before 3 bill a grounded answer once, however many searches it took; later ones bill each query. */
export const searchIsBilledOnce = (model: string): boolean => /(?:^|\/)gemini-[12](?:\.|-)/i.test(model)
