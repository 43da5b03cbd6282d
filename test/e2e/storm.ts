// Many clients at once, each asking until it is told that asking again is of no use; what each was told is kept.
import { setTimeout as after } from 'node:timers/promises'
import { type Answer, call, manyConnections, quantile } from './call.ts'

export interface StormSetting {
  readonly port: number
  readonly clients: number
  /** The clients start evenly spread over this time. */
  readonly spreadMs: number
  /** The request of a client's n-th call. */
  request(client: number, n: number): { readonly path: string; readonly headers: Readonly<Record<string, string>>; readonly body: string }
  /** A client gives up after this many refusals in a row that said "later". */
  readonly patience: number
}

export interface Storm {
  readonly answers: readonly Answer[]
  readonly admitted: readonly Answer[]
  readonly refused: readonly Answer[]
  /** Neither: broken connections, and statuses that neither the provider nor Purser gives. */
  readonly broken: readonly Answer[]
}

/** Whether the refusal says that the same call may pass later. */
export const saysLater = (answer: Answer): boolean => [429, 503].includes(answer.status) && answer.headers['x-should-retry'] !== 'false'

/** What a good client waits before it asks again; cut to keep tests short. */
const waitMs = (answer: Answer): number => Math.min(Number(answer.headers['retry-after'] ?? 1), 5) * 1_000

/** Runs the clients; then one more asks until it was refused for good three times running. */
export async function storm(setting: StormSetting): Promise<Storm> {
  const agent = manyConnections()
  const answers: Answer[] = []
  const ask = async (client: number, n: number): Promise<Answer> => {
    const answer = await call({ port: setting.port, agent, ...setting.request(client, n) })
    answers.push(answer)
    return answer
  }
  try {
    await Promise.all(
      Array.from({ length: setting.clients }, async (_, client) => {
        await after((client * setting.spreadMs) / setting.clients)
        let refusals = 0
        for (let n = 0; refusals <= setting.patience && n < 1_000; n++) {
          const answer = await ask(client, n)
          if (answer.status === 200) refusals = 0
          else if (saysLater(answer)) {
            refusals++
            await after(waitMs(answer))
          } else return
        }
      }),
    )
    await untilPermanent(n => ask(0, n))
  } finally {
    agent.destroy()
  }
  return sort(answers)
}

async function untilPermanent(ask: (n: number) => Promise<Answer>): Promise<void> {
  let permanent = 0
  for (let n = 0; permanent < 3; n++) {
    if (n > 500) throw new Error('the budget never ran out for good')
    const answer = await ask(n)
    permanent = answer.status === 402 || answer.status === 403 ? permanent + 1 : 0
    if (saysLater(answer)) await after(waitMs(answer))
  }
}

function sort(answers: readonly Answer[]): Storm {
  const admitted = answers.filter(answer => answer.status === 200 && answer.end === 'whole')
  const refused = answers.filter(answer => answer.headers['x-purser-reason'] !== undefined)
  return { answers, admitted, refused, broken: answers.filter(answer => !admitted.includes(answer) && !refused.includes(answer)) }
}

/** A table of what happened, for the reader of the test's output. */
export function stormLine(name: string, storm_: Storm, billed: bigint): string {
  const told = tally(storm_.refused.map(answer => `${answer.status} ${answer.headers['x-purser-reason']}`))
  const ms = (numbers: readonly Answer[], share: number): string =>
    quantile(
      numbers.map(answer => answer.totalMs),
      share,
    ).toFixed(1)
  return [
    `${name}: billed $${(Number(billed) / 1e9).toFixed(6)} in ${storm_.admitted.length} calls (p50 ${ms(storm_.admitted, 0.5)} ms)`,
    `refused ${storm_.refused.length} (p50 ${ms(storm_.refused, 0.5)}, p99 ${ms(storm_.refused, 0.99)} ms): ${told}`,
    `broken ${storm_.broken.length}${storm_.broken.length > 0 ? ` (${tally(storm_.broken.map(({ status, end }) => `${status || 'no answer'} ${end}`))})` : ''}`,
  ].join('; ')
}

function tally(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].map(([word, count]) => `${count} x ${word}`).join(', ')
}
