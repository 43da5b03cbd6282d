// A process that works on the ledger in argv[2] and prints each id that was acknowledged, until it is killed. argv[3] is its work: `spend`
// reserves and settles without end, `sweep` sweeps without end, forty days after now. argv[4] bounds the stream.
import { openSqliteLedger } from '../../src/sqlite/ledger.ts'
import { DAY, holder, line, observeMove, reserveMove, settleMove } from '../contract/moves.ts'

const [, , file = '', work = '', streamMax = ''] = process.argv
const laterMs = work === 'sweep' ? 40 * DAY : 0
const clock = { wallMs: () => Date.now() + laterMs, monotonicMs: () => performance.now() }
const ledger = await openSqliteLedger({ file, clock, ...(streamMax === '' ? {} : { streamMax: Number(streamMax) }) })
process.stdout.write('ready\n')

async function spend(caller: number): Promise<void> {
  for (let turn = 0; ; turn += 1) {
    const lines = [line('a', 3n, { limit: 10n ** 18n }), line(`c${caller}`, 1n, { limit: 10n ** 18n })]
    const move = reserveMove(Date.now(), lines, { id: mintHere() })
    const outcome = await ledger.reserve(move)
    if (outcome.kind !== 'reserved') throw new Error(`a reserve answered ${outcome.kind}`)
    process.stdout.write(`reserved ${move.id}\n`)
    if (turn % 2 === 1) {
      await ledger.observe(observeMove(move.holder, [move, [4n, 1n]]))
      continue
    }
    await ledger.settle(settleMove(move, lines, [2n, 1n]))
    process.stdout.write(`settled ${move.id}\n`)
  }
}

let minted = 0
/** Never the same in two processes: the file lives through many of them. */
function mintHere(): ReturnType<typeof reserveMove>['id'] {
  minted += 1
  const random = Math.floor(Math.random() * 2 ** 40)
  const digits = [Date.now(), random, minted].map((part, index) => part.toString(16).padStart([12, 10, 10][index] ?? 0, '0'))
  return digits.join('') as ReturnType<typeof reserveMove>['id']
}

async function sweep(): Promise<void> {
  for (;;) {
    await ledger.beat(holder(1))
    await ledger.sweep()
  }
}

if (work === 'sweep') await sweep()
else await Promise.all(Array.from({ length: 20 }, (_, caller) => spend(caller)))
