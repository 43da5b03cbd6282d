// `key new|hash`: makes keys and their hashes. Talks to no ledger, and never takes a key from its arguments, which others can read.
import { NoKey } from './key-fault.ts'
import { type CheckKeyObject, newKey } from './key-new.ts'

const KEY_HELP = `purser key COMMAND

  purser key new NAME [flags]   a new key, and the AccessKey object that holds its hash (see purser key new --help)
  purser key hash               the hash of a key that is read from stdin, or asked for without showing it
`

const NEW_HELP = `purser key new NAME [flags]

Prints a new key (psk_ and 256 random bits) and, below ---, its AccessKey object as YAML. Purser keeps only the hash: who loses the key makes
another. With --key-file, the key goes to a file that only you can read, and stdout has the object alone:

  purser key new indexer --namespace search --team search --limit day=20/Day --key-file indexer.key > policies/indexer.yaml

  purser key new --experiment prompt-tuning --budget 20 --for 7d --namespace search

  --namespace NAME        the namespace of the object (default: the one that serve is told by --default-namespace)
  --label NAME=VALUE      a label, by which policies select keys (may be repeated)
  --user NAME             the attribute user, by which policies match and partition
  --team NAME             the attribute team
  --attribute NAME=VALUE  a further attribute (may be repeated)
  --models GLOB,GLOB      the models that the key may use (default: all)
  --providers GLOB,GLOB   the providers that it may use (default: all)
  --endpoints GLOB,GLOB   the endpoints that it may use (default: all)
  --limit LIMIT           a limit of its own, as NAME=AMOUNT[UNIT]/WINDOW (may be repeated). UNIT: USD (default), Tokens, InputTokens,
                          OutputTokens, Requests. WINDOW: Hour, Day, Week, Month, Quarter, Year, lifetime, inFlight, or a span such as 1m
  --experiment NAME       an experiment instead of NAME: a key with --budget USD for its whole life and an end (--for or --expires), which must
                          stay within what the ClusterBudgetPolicies of its namespace allow experiments
  --max-per-request USD   the most that one call may reserve
  --for SPAN              the key expires after this many days, hours or minutes: 7d, 12h, 30m
  --expires INSTANT       the same as an instant, such as 2027-01-31T00:00:00Z
  --key-file FILE         writes the key to a new file of mode 0600 instead of stdout

Exit code 0, or 2 where something is not right; then nothing is printed or written.
`

const HASH_HELP = `purser key hash

Reads one key from stdin and prints what AccessKey.spec.keyHashes takes: sha256: and 64 hex digits. On a terminal it asks, and does not show what
is typed. A key is never taken from the command line, which every process of the machine can read.

  purser key hash < indexer.key
`

export interface KeyTools {
  nowMs(): number
  /** As many random bytes, as hex digits. */
  randomHex(bytes: number): string
  sha256(text: string): string
  readonly check: CheckKeyObject
  /** All of stdin, or one line that is asked for. */
  readKey(): Promise<string>
  /** Writes a file that was not there, readable by its owner alone. Throws an error with a sentence where it cannot. */
  writeKeyFile(path: string, text: string): void
  out(text: string): void
  err(text: string): void
}

/** Answers the exit code. */
export async function key([command, ...args]: readonly string[], tools: KeyTools): Promise<number> {
  const help = args.includes('--help') || args.includes('-h')
  try {
    if (command === 'new') return help ? say(tools, NEW_HELP) : makeKey(args, tools)
    if (command === 'hash') return help ? say(tools, HASH_HELP) : await hashKey(args, tools)
  } catch (fault) {
    if (!(fault instanceof NoKey)) throw fault
    tools.err(`purser: ${fault.message}\n`)
    return 2
  }
  if (command === 'help' || command === '--help' || command === '-h') return say(tools, KEY_HELP)
  tools.err(`purser: ${command === undefined ? 'key needs a command' : `there is no command 'key ${command}'`}\n\n${KEY_HELP}`)
  return 2
}

function makeKey(args: readonly string[], tools: KeyTools): number {
  const made = newKey(args, { ...tools, nowMs: tools.nowMs(), randomHex: tools.randomHex(32) })
  if (made.keyFile === null) tools.out(`${made.key}\n---\n`)
  else tools.writeKeyFile(made.keyFile, `${made.key}\n`)
  tools.out(made.object)
  return 0
}

async function hashKey(args: readonly string[], tools: KeyTools): Promise<number> {
  if (args.length > 0) throw new NoKey('a key on the command line can be read by every process of this machine: give it on stdin')
  const text = (await tools.readKey()).replace(/\r?\n$/, '')
  if (!/^\S{1,8192}$/.test(text)) throw new NoKey('stdin has no key: one line without spaces is needed')
  return say(tools, `${tools.sha256(text)}\n`)
}

function say({ out }: KeyTools, text: string): number {
  out(text)
  return 0
}
