// Clients that go on whatever happens: streams through Envoy, one after the other, until they are told to stop. What became of each is kept.
import { setTimeout as after } from 'node:timers/promises'
import { type Answer, call, manyConnections } from '../e2e/call.ts'
import { KEY } from '../e2e/policies.ts'
import { CHAT_PATH, chatBody } from '../e2e/provider.ts'

export interface Traffic {
  readonly answers: readonly Answer[]
  /** Calls that are under way. */
  inFlight(): number
  /** Lets the calls under way end, and starts no more. */
  stop(): Promise<void>
}

/** `clients` calls are under way at any time; a client that is refused or cut asks again a moment later. */
export function startTraffic(port: number, clients: number, maxTokens = 1_000): Traffic {
  const agent = manyConnections()
  const answers: Answer[] = []
  let stopping = false
  let inFlight = 0
  const request = { path: CHAT_PATH, headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` } }
  const client = async (): Promise<void> => {
    while (!stopping) {
      inFlight += 1
      const answer = await call({ port, agent, ...request, body: chatBody(maxTokens, true) })
      inFlight -= 1
      answers.push(answer)
      if (answer.status !== 200 || answer.end !== 'whole') await after(100)
    }
  }
  const running = Array.from({ length: clients }, client)
  return {
    answers,
    inFlight: () => inFlight,
    stop: async () => {
      stopping = true
      await Promise.all(running)
      agent.destroy()
    },
  }
}

export const wholeOf = (answers: readonly Answer[]): readonly Answer[] =>
  answers.filter(({ status, end }) => status === 200 && end === 'whole')

/** How many ended how, for the reader of the test's output. */
export function storyOf(answers: readonly Answer[]): string {
  const counts = new Map<string, number>()
  for (const { status, end, headers } of answers) {
    const word = `${status} ${headers['x-purser-reason'] ?? end}`
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return [...counts].map(([word, count]) => `${count} x ${word}`).join(', ')
}
