// OpenAI chat completions, and Azure's rendering of them, as the real ones write them: field by field, in their order.
import { OPENAI_HEADERS, openaiError, padding, usageOf } from './openai.ts'
import { type Answer, type EventStream, letters, perChoice, type Shape, word, words } from './shape.ts'

export const CHAT: Shape = { json, stream, error: openaiError, headers: OPENAI_HEADERS }

const finish = (answer: Answer): string => (answer.cut ? 'length' : 'stop')

function json(answer: Answer): string {
  const text = words(perChoice(answer))
  const choices = Array.from({ length: answer.asked.choices }, (_, index) => ({
    index,
    message: { role: 'assistant', content: text, refusal: null, annotations: [] },
    logprobs: null,
    finish_reason: finish(answer),
  }))
  const usage = usageOf(answer)
  if (answer.asked.azure) return `${JSON.stringify(azureJson(answer, text, usage))}\n`
  const body = {
    id: `chatcmpl-${answer.id}`,
    object: 'chat.completion',
    created: answer.created,
    model: answer.model,
    choices,
    ...(usage === null ? {} : { usage }),
    service_tier: 'default',
    system_fingerprint: 'fp_560af6e559',
  }
  return `${JSON.stringify(body, null, 2)}\n`
}

function stream(answer: Answer): EventStream {
  const render = answer.asked.azure ? azureChunks(answer) : openaiChunks(answer)
  const { choices } = answer.asked
  const indexes = Array.from({ length: choices }, (_, index) => index)
  const ends = indexes.map(index => render.chunk(index, '{}', `"${finish(answer)}"`, 6)).join('')
  return {
    before: render.opening + indexes.map(render.first).join(''),
    token: index => render.chunk(index % choices, `{"content":"${word(Math.floor(index / choices))}"}`, 'null', word(index).length),
    after: `${ends}${render.usage}data: [DONE]\n\n`,
    failure: () => `data: ${JSON.stringify(JSON.parse(openaiError(500, FAILURE)))}\n\n`,
  }
}

const FAILURE = 'The server had an error while processing your request. Sorry about that!'

interface Rendering {
  readonly opening: string
  readonly usage: string
  first(choice: number): string
  chunk(choice: number, delta: string, finish: string, shown: number): string
}

function openaiChunks(answer: Answer): Rendering {
  const head =
    `data: {"id":"chatcmpl-${answer.id}","object":"chat.completion.chunk","created":${answer.created},"model":"${answer.model}",` +
    '"service_tier":"default","system_fingerprint":"fp_50906f2aac","choices":['
  const noUsage = answer.asked.includeUsage ? ',"usage":null' : ''
  const pad = letters(16)
  const chunk: Rendering['chunk'] = (choice, delta, end, shown) =>
    `${head}{"index":${choice},"delta":${delta},"logprobs":null,"finish_reason":${end}}]${noUsage},"obfuscation":"${padding(pad, shown)}"}\n\n`
  const usage = answer.asked.includeUsage ? usageOf(answer) : null
  return {
    opening: '',
    usage: usage === null ? '' : `${head}],"usage":${JSON.stringify(usage)},"obfuscation":"${padding(pad, 0)}"}\n\n`,
    first: choice => chunk(choice, '{"role":"assistant","content":"","refusal":null}', 'null', 2),
    chunk,
  }
}

const SAFE =
  '{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}'

/** Azure sorts its keys, and begins with the filter's results for the prompt. */
function azureChunks(answer: Answer): Rendering {
  const tail = `"created":${answer.created},"id":"chatcmpl-${answer.id}","model":"${answer.model}","object":"chat.completion.chunk","system_fingerprint":"fp_b6f445fc1c"`
  const noUsage = answer.asked.includeUsage ? ',"usage":null' : ''
  const chunk = (filter: string, choice: number, delta: string, end: string): string =>
    `data: {"choices":[{"content_filter_results":${filter},"delta":${delta},"finish_reason":${end},"index":${choice},"logprobs":null}],${tail}${noUsage}}\n\n`
  const usage = answer.asked.includeUsage ? usageOf(answer) : null
  return {
    opening: `data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":${SAFE}}]}\n\n`,
    usage: usage === null ? '' : `data: {"choices":[],${tail},"usage":${JSON.stringify(sorted(usage))}}\n\n`,
    first: choice => chunk('{}', choice, '{"content":"","role":"assistant"}', 'null'),
    chunk: (choice, delta, end) => chunk(end === 'null' ? SAFE : '{}', choice, delta, end),
  }
}

function azureJson(answer: Answer, text: string, usage: object | null): object {
  const filter: unknown = JSON.parse(SAFE)
  return {
    choices: Array.from({ length: answer.asked.choices }, (_, index) => ({
      content_filter_results: filter,
      finish_reason: finish(answer),
      index,
      logprobs: null,
      message: { annotations: [], content: text, refusal: null, role: 'assistant' },
    })),
    created: answer.created,
    id: `chatcmpl-${answer.id}`,
    model: answer.model,
    object: 'chat.completion',
    prompt_filter_results: [{ prompt_index: 0, content_filter_results: filter }],
    system_fingerprint: 'fp_b6f445fc1c',
    ...(usage === null ? {} : { usage: sorted(usage) }),
  }
}

function sorted(value: object): object {
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, one]) => [key, typeof one === 'object' && one !== null ? sorted(one) : one]))
}
