// One JSON question to the API and its whole answer, as a value: what it came to, or why it came to nothing. Never asks twice.
import { WATCH_LINE_BYTES_MAX } from '../limits.ts'
import type { Api, ApiAnswer, GetOptions, Written } from './api.ts'
import { brokenBy, type Failure, failureOf, textOf } from './failure.ts'

export type Answered = { readonly kind: 'answered'; readonly body: unknown } | Failure

export const getJson = (api: Api, path: string, options: GetOptions): Promise<Answered> => answered(() => api.get(path, options))

/** Where it failed without a status, it is not known whether it was written. */
export const sendJson = (api: Api, path: string, written: Written, options: GetOptions): Promise<Answered> =>
  answered(() => api.send(path, written, options))

async function answered(ask: () => Promise<ApiAnswer>): Promise<Answered> {
  try {
    const answer = await ask()
    if (answer.status !== 200 && answer.status !== 201) return await failureOf(answer)
    return { kind: 'answered', body: JSON.parse(await textOf(answer.body, WATCH_LINE_BYTES_MAX)) }
  } catch (error) {
    return brokenBy(error)
  }
}
