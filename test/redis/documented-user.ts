// The user that docs/redis.md tells to make, as a real server takes it: what is documented is what is tested.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RedisServer } from './server.ts'

const PAGE = join(import.meta.dirname, '../../docs/redis.md')
export const USER = { username: 'purser', password: 's3cret/+@:%' } as const

/** The words after `ACL SETUSER` for a ledger of that name (or pattern), or for its user at the Sentinels. */
export function documentedUser(of: 'ledger' | 'sentinel', name: string): readonly string[] {
  const lines = readFileSync(PAGE, 'utf8').split('\n')
  const [ledger, sentinel] = lines.flatMap(line => (line.startsWith('ACL SETUSER ') ? [line.slice('ACL SETUSER '.length)] : []))
  const line = of === 'ledger' ? ledger : sentinel
  if (line === undefined) throw new Error('docs/redis.md documents no user')
  return line.replace('NAME', name).replace('PASSWORD', USER.password).split(' ')
}

/** What it may do, as INFO commandstats names commands. */
export const documentedCommands = (words: readonly string[]): readonly string[] =>
  words.flatMap(word => (word.startsWith('+') ? [word.slice(1)] : [])).sort()

/** Makes the user, with the rights of special set-ups besides. */
export async function makeUser(server: RedisServer, words: readonly string[], more: readonly string[] = []): Promise<void> {
  await server.command('ACL', 'SETUSER', ...words, ...more)
}

/** The address with that user in it. */
export const asUser = (url: string): string => url.replace('://', `://${USER.username}:${encodeURIComponent(USER.password)}@`)
