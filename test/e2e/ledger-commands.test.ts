// The commands of main as processes of their own, beside one that has the ledger: wiring, signals, pipes, the lock.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Ledger } from '../../src/ports.ts'
import { openSqliteLedger } from '../../src/sqlite/ledger.ts'
import { systemClock } from '../../src/system.ts'
import { line, reserveMove, settleMove } from '../contract/moves.ts'
import { ORGANISATION } from '../contract/story.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const lines = [line('', 1_000n, { ...ORGANISATION, limit: 1_000_000_000_000n })]
let folder: string
let file: string
let ledger: Ledger
let children: ChildProcess[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'purser-commands-'))
  file = join(folder, 'ledger.db')
  ledger = await openSqliteLedger({ file, clock: systemClock })
})
afterEach(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL')
  children = []
  await ledger.close()
  rmSync(folder, { recursive: true, force: true })
})

const charge = (): Promise<string> => chargeAs(true)
async function chargeAs(proven: boolean): Promise<string> {
  const move = reserveMove(Date.now(), lines)
  await ledger.reserve(move)
  await ledger.settle(settleMove(move, lines, [700n], proven))
  return move.id
}

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PURSER_LEDGER: `sqlite:${file}` }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', chunk => {
    said.out += chunk
  })
  child.stderr.on('data', chunk => {
    said.err += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, ...said }))
  return { child, said, ended }
}

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 30_000; !holds(); ) {
    if (performance.now() > deadline) throw new Error('it did not come to pass within 30 s')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

it('proves and exports a file that another process serves from; to adjust, that has to end', async () => {
  for (let each = 0; each < 5; each += 1) await charge()
  const id = await chargeAs(false)
  expect(await start('verify').ended).toEqual({
    code: 0,
    out: 'Proven: 12 entries, 1 to 12; 6 reservations, 0 of them open; 1 balances.\n',
    err: '',
  })
  const exported = await start('ledger', 'export', '--since', '10').ended
  expect(exported).toMatchObject({ code: 0, err: expect.stringContaining('2 entries exported, the last is 12; SQLite is only read') })
  expect(
    exported.out
      .trim()
      .split('\n')
      .map(each => JSON.parse(each).id),
  ).toEqual(['default/11', 'default/12'])

  const adjust = ['ledger', 'adjust', id, '--actual', '0.0000005', '--reason', 'invoice 7']
  expect(await start(...adjust).ended).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/is in use: .*\.lock was not free within 2 s\. Where a serve runs on it, stop that first/),
  })
  await ledger.close()
  expect(await start(...adjust).ended).toMatchObject({
    code: 0,
    out: expect.stringContaining('spent 0.0000042 USD -> 0.000004 USD, suspense 0.0000007 USD -> 0 USD'),
  })
  expect(await start('verify').ended).toMatchObject({ code: 0, out: expect.stringContaining('13 entries, 1 to 13') })
}, 90_000)

it('follows a ledger until Ctrl-C, and ends when its reader does', async () => {
  await charge()
  const following = start('ledger', 'export', '--follow')
  await until(() => following.said.out.split('\n').length === 3)
  await charge()
  await until(() => following.said.out.split('\n').length === 5)
  following.child.kill('SIGINT')
  expect(await following.ended).toMatchObject({ code: 0, err: expect.stringContaining('4 entries exported, the last is 4') })

  const cut = start('ledger', 'export', '--follow')
  await until(() => cut.said.out !== '')
  cut.child.stdout.destroy()
  await charge()
  expect(await cut.ended).toMatchObject({ code: 1, err: 'the output was closed (EPIPE): everything up to entry 4 was written\n' })
}, 90_000)

it('says where a ledger is not, and makes none', async () => {
  const absent = `sqlite:${join(folder, 'absent.db')}`
  for (const args of [['verify'], ['ledger', 'export'], ['ledger', 'adjust', 'a'.repeat(32), '--actual', '1', '--reason', 'r']]) {
    const { code, err } = await start(...args, '--ledger', absent).ended
    expect(err).toMatch(/^purser: the ledger .*absent\.db cannot be read: unable to open database file\n$/)
    expect(code).toBe(args[0] === 'verify' ? 2 : 1)
  }
}, 90_000)
