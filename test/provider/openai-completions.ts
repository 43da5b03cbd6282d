// OpenAI completions, the old ones, as the real endpoint writes them.
import { OPENAI_HEADERS, openaiError, plainUsageOf } from './openai.ts'
import { type Answer, type EventStream, perChoice, type Shape, word, words } from './shape.ts'

export const COMPLETIONS: Shape = { json, stream, error: openaiError, headers: OPENAI_HEADERS }

const finish = (answer: Answer): string => (answer.cut ? 'length' : 'stop')

function json(answer: Answer): string {
  const text = words(perChoice(answer))
  const usage = plainUsageOf(answer, true)
  const body = {
    id: `cmpl-${answer.id}`,
    object: 'text_completion',
    created: answer.created,
    model: answer.model,
    choices: Array.from({ length: answer.asked.choices }, (_, index) => ({ text, index, logprobs: null, finish_reason: finish(answer) })),
    ...(usage === null ? {} : { usage }),
  }
  return `${JSON.stringify(body, null, 2)}\n`
}

/** The last token of each choice carries its end. */
function stream(answer: Answer): EventStream {
  const { choices, includeUsage } = answer.asked
  const head = `data: {"id":"cmpl-${answer.id}","object":"text_completion","created":${answer.created},"choices":[`
  const tail = `],"model":"${answer.model}"${includeUsage ? ',"usage":null' : ''}}\n\n`
  const last = answer.outputTokens - choices
  const usage = includeUsage ? plainUsageOf(answer, true) : null
  return {
    before: '',
    token: index => {
      const end = index >= last ? `"${finish(answer)}"` : 'null'
      const text = word(Math.floor(index / choices))
      return `${head}{"text":"${text}","index":${index % choices},"logprobs":null,"finish_reason":${end}}${tail}`
    },
    after: `${usage === null ? '' : `${head}],"model":"${answer.model}","usage":${JSON.stringify(usage)}}\n\n`}data: [DONE]\n\n`,
    failure: () => `data: ${JSON.stringify(JSON.parse(openaiError(500, '')))}\n\n`,
  }
}
