// A process that reserves on the ledger in argv[2] and prints each id that was acknowledged, until it is killed.
import { openSqliteLedger } from '../../src/sqlite/ledger.ts'
import { line, reserveMove, settleMove } from '../contract/moves.ts'

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
const ledger = await openSqliteLedger({ file: process.argv[2] ?? '', clock })
process.stdout.write('ready\n')

async function work(caller: number): Promise<void> {
  for (let turn = 0; ; turn += 1) {
    const lines = [line('a', 3n, { limit: 10n ** 18n }), line(`c${caller}`, 1n, { limit: 10n ** 18n })]
    const move = reserveMove(Date.now(), lines)
    const outcome = await ledger.reserve(move)
    if (outcome.kind !== 'reserved') throw new Error(`a reserve answered ${outcome.kind}`)
    process.stdout.write(`reserved ${move.id}\n`)
    if (turn % 2 === 1) continue
    await ledger.settle(settleMove(move, lines, [2n, 1n]))
    process.stdout.write(`settled ${move.id}\n`)
  }
}

await Promise.all(Array.from({ length: 20 }, (_, caller) => work(caller)))
