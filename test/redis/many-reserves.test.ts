// A thousand reserves at once from three processes on four levels in mixed units: never over at any entry, and exact at the end.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Unit } from '../../src/core/budget.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { LEVELS } from './levels.ts'
import { RedisServer } from './server.ts'

const PROCESSES = 3
const EACH = 334

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => server?.stop())

it(`${PROCESSES * EACH} mixed reserves at once never pass a limit, and end exact`, async () => {
  const spenders = Array.from({ length: PROCESSES }, (_, index) => spender(`${index + 1}`.padStart(32, '0')))
  await Promise.all(spenders.map(({ ready }) => ready))
  for (const { go } of spenders) go()
  const reports = await Promise.all(spenders.map(({ report }) => report))
  const ledger = await openRedisLedger({ url: server.url, name: 'many', clock: systemClock, timer: systemTimer, streamMax: 200_000 })
  const read = await ledger.entries({ afterSeq: 0, count: 1_000 })
  if (read.kind !== 'read') throw new Error(`the ledger is ${read.kind}`)
  const entries = [...read.value]
  for (;;) {
    const more = await ledger.entries({ afterSeq: entries.at(-1)?.seq ?? 0, count: 1_000 })
    if (more.kind !== 'read') throw new Error(`the ledger is ${more.kind}`)
    if (more.value.length === 0) break
    entries.push(...more.value)
  }
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1))
  for (const { what, lines } of entries) {
    for (const { balance } of lines) expect([what, balance.spent + balance.reserved <= balance.limit]).toEqual([what, true])
  }
  const admitted = reports.reduce((sum, report) => sum + report.admitted, 0)
  console.log(`${admitted} of ${PROCESSES * EACH} admitted, ${entries.length} entries`)
  expect(entries.filter(({ what }) => what === 'reserved')).toHaveLength(admitted)
  expect(admitted).toBeGreaterThan(300)
  expect(admitted).toBeLessThan(PROCESSES * EACH)
  const balances = await ledger.read(LEVELS)
  await ledger.close()
  if (balances.kind !== 'read') throw new Error(`the ledger is ${balances.kind}`)
  for (const [index, level] of LEVELS.entries()) {
    const billed = level.window.kind === 'inFlight' ? 0n : reports.reduce((sum, { bill }) => sum + BigInt(bill[level.unit]), 0n)
    expect([level.key, balances.value[index]]).toEqual([
      level.key,
      expect.objectContaining({ spent: billed, reserved: 0n, suspense: 0n, overrun: 0n }),
    ])
  }
})

interface Report {
  readonly admitted: number
  readonly bill: Readonly<Record<Unit, string>>
}

function spender(holder: string): { readonly ready: Promise<unknown>; go(): void; readonly report: Promise<Report> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'spender.ts'), server.url, `${EACH}`, holder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  const said: string[] = []
  const waiting: ((line: string) => void)[] = []
  lines.on('line', line => (waiting.shift() ?? ((each: string) => said.push(each)))(line))
  const next = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const line = said.shift()
      if (line !== undefined) return resolve(line)
      waiting.push(resolve)
      child.once('exit', code => reject(new Error(`a spender ended with ${code}`)))
    })
  const ready = next()
  return { ready, go: () => child.stdin.write('go\n'), report: ready.then(next).then(line => JSON.parse(line) as Report) }
}
