// What the demo prints: requests as a client sends them, answers as it sees them, balances as a table.
import type { Purser } from '../test/e2e/purser.ts'

const CALLS_MAX = 20

export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

export async function askOnce(url: string, key: string): Promise<void> {
  const response = await ask(url, key, false)
  const answer = (await response.json()) as { usage?: { prompt_tokens: number; completion_tokens: number } }
  say(`   ${response.status}: ${answer.usage?.prompt_tokens} tokens in, ${answer.usage?.completion_tokens} out`)
}

export async function askStream(url: string, key: string): Promise<void> {
  const response = await ask(url, key, true)
  const text = await response.text()
  const events = text.split('\n').filter(line => line.startsWith('data: '))
  say(
    `   ${response.status}: ${events.length} events, the last one ${events.at(-1)}, usage seen by the client: ${text.includes('"usage":{')}`,
  )
}

export async function untilRefused(url: string, key: string): Promise<void> {
  for (let call = 0; call < CALLS_MAX; call++) {
    const response = await ask(url, key, false)
    const body = await response.text()
    if (response.ok) {
      say(`   ${response.status}: allowed`)
      continue
    }
    say(`   ${response.status}: refused`)
    for (const name of ['x-purser-reason', 'x-purser-budget', 'x-should-retry', 'retry-after']) {
      const value = response.headers.get(name)
      if (value !== null) say(`   ${name}: ${value}`)
    }
    say(`   ${body}`)
    return
  }
  throw new Error(`${CALLS_MAX} calls were allowed, and none refused`)
}

/** One line a budget that is in use. */
export async function balances(purser: Purser): Promise<string> {
  const rows = await purser.budgets()
  const line = (cells: readonly string[]): string => `   ${cells.map((cell, i) => cell.padEnd(i === 0 ? 34 : 12)).join('')}`.trimEnd()
  return [
    line(['budget', 'amount', 'spent', 'reserved', 'available']),
    ...rows.map(row => {
      const partition = row.partition === null ? '' : ` ${row.partition}`
      return line([`${row.policy}/${row.limit}${partition}`, row.amount, row.spent, row.reserved, row.available])
    }),
  ].join('\n')
}

function ask(url: string, key: string, stream: boolean): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Tell me about pursers.' }], stream }),
  })
}
