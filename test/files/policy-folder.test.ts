// Hot reload: heard at once, whole or not at all, through an editor's rename and a ConfigMap's swapped link.
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type FolderPolicySource, openPolicyFolder, PolicyProblems } from '../../src/files/policy-folder.ts'
import type { PolicyChange } from '../../src/ports.ts'
import { budgetPolicy, folderWith, limitSpec } from './folder.ts'

const NEVER_MS = 2_000_000_000

/** Opens a folder that is only ever read again because it was heard to change, or asked to. */
async function open(folder: string, over: Partial<Parameters<typeof openPolicyFolder>[0]> = {}): Promise<FolderPolicySource> {
  const source = await openPolicyFolder({ folder, trustedHeaders: [], settleMs: 20, rescanMs: NEVER_MS, ...over })
  onTestFinished(() => source.close())
  return source
}

const nextChange = (source: FolderPolicySource): Promise<PolicyChange> => new Promise(resolve => source.onChange(resolve))
const amounts = (source: FolderPolicySource): bigint[] =>
  source
    .current()
    .declared()
    .map(one => one.limit.amount / 1_000_000_000n)

describe('a folder', () => {
  it('must be valid at first', async () => {
    const folder = folderWith({ 'a.yaml': budgetPolicy(limitSpec({ amount: 5 })), 'b.yaml': budgetPolicy('{nope: 1}', 'b') })
    const failure = await openPolicyFolder({ folder, trustedHeaders: [] }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(PolicyProblems)
    expect((failure as PolicyProblems).problems).toHaveLength(2)
  })

  it('is read again when a file is written, with a new version', async () => {
    const folder = folderWith({ 'a.yaml': budgetPolicy(limitSpec({ amount: '1' })) })
    const source = await open(folder)
    const before = source.current().declared()[0]?.version.generation ?? 0
    const change = nextChange(source)
    writeFileSync(join(folder, 'a.yaml'), budgetPolicy(limitSpec({ amount: '2' })))
    utimesSync(join(folder, 'a.yaml'), new Date(), new Date(before + 5_000))
    expect(await change).toEqual({ kind: 'accepted', objects: 1, warnings: [] })
    await source.rescan()
    expect(amounts(source)).toEqual([2n])
    expect(source.current().declared()[0]?.version).toEqual({ createdMs: 0, generation: before + 5_000, grantMs: 0 })
  })

  it("follows an editor's atomic rename, a new file, a new folder and a removed file", async () => {
    const folder = folderWith({ 'a.yaml': budgetPolicy(limitSpec({ amount: '1' })) })
    const source = await open(folder)
    const steps: [string, () => void, bigint[]][] = [
      [
        'rename',
        () => {
          writeFileSync(join(folder, '.a.swp'), budgetPolicy(limitSpec({ amount: '2' })))
          renameSync(join(folder, '.a.swp'), join(folder, 'a.yaml'))
        },
        [2n],
      ],
      ['new file', () => writeFileSync(join(folder, 'b.yaml'), budgetPolicy(limitSpec({ amount: '3' }), 'z')), [2n, 3n]],
      [
        'new folder',
        () => {
          mkdirSync(join(folder, 'new'))
          writeFileSync(join(folder, 'new/c.yaml'), budgetPolicy(limitSpec({ amount: '4' }), 'zz'))
        },
        [2n, 3n, 4n],
      ],
      [
        'file in the new folder',
        () => writeFileSync(join(folder, 'new/c.yaml'), budgetPolicy(limitSpec({ amount: '5' }), 'zz')),
        [2n, 3n, 5n],
      ],
      ['removed', () => rmSync(join(folder, 'b.yaml')), [2n, 5n]],
    ]
    for (const [name, step, expected] of steps) {
      const change = nextChange(source)
      step()
      expect((await change).kind, name).toBe('accepted')
      expect(amounts(source), name).toEqual(expected)
    }
  })

  it('follows the swapped link of a mounted ConfigMap', async () => {
    const folder = folderWith({})
    const state = (name: string, amount: string) => {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, 'a.yaml'), budgetPolicy(limitSpec({ amount })))
      symlinkSync(name, join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    }
    state('..2026_01', '1')
    symlinkSync('..data/a.yaml', join(folder, 'a.yaml'))
    const source = await open(folder)
    expect(amounts(source)).toEqual([1n])
    const change = nextChange(source)
    state('..2026_02', '2')
    rmSync(join(folder, '..2026_01'), { recursive: true })
    expect((await change).kind).toBe('accepted')
    expect(amounts(source)).toEqual([2n])
  })

  it('keeps the last good set as a whole while any file is faulty, says so once, and recovers', async () => {
    const folder = folderWith({
      'a.yaml': budgetPolicy(limitSpec({ amount: '1' })),
      'b.yaml': budgetPolicy(limitSpec({ amount: '2' }), 'z'),
    })
    const source = await open(folder, { settleMs: NEVER_MS })
    const changes: PolicyChange[] = []
    source.onChange(change => changes.push(change))
    const set = source.current()
    writeFileSync(join(folder, 'a.yaml'), budgetPolicy(limitSpec({ amount: '9' })))
    writeFileSync(join(folder, 'b.yaml'), budgetPolicy(limitSpec({ amount: 9 }), 'z'))
    await source.rescan()
    await source.rescan()
    expect(source.current()).toBe(set)
    expect(changes).toEqual([
      { kind: 'refused', problems: [expect.stringContaining('b.yaml:5: BudgetPolicy default/z: spec.limits[0].amount: 9 is a number')] },
    ])
    writeFileSync(join(folder, 'b.yaml'), budgetPolicy(limitSpec({ amount: '8' }), 'z'))
    await source.rescan()
    expect(amounts(source)).toEqual([9n, 8n])
    rmSync(folder, { recursive: true })
    await source.rescan()
    expect(amounts(source)).toEqual([9n, 8n])
    expect(changes.map(change => change.kind)).toEqual(['refused', 'accepted', 'refused'])
  })

  it('is not read while it is still being written', async () => {
    const folder = folderWith({ 'a.yaml': budgetPolicy(limitSpec({ amount: '1' })) })
    const source = await open(folder, { settleMs: 100 })
    const change = nextChange(source)
    // Valid at every moment, and half of what it will be, for longer than one look takes.
    let written = budgetPolicy(limitSpec({ amount: '2' }))
    for (const start = performance.now(); performance.now() - start < 250; written += '#\n') {
      writeFileSync(join(folder, 'a.yaml'), written)
      await readFile(join(folder, 'a.yaml'))
    }
    writeFileSync(join(folder, 'a.yaml'), `${written}---\n${budgetPolicy(limitSpec({ amount: '3' }), 'z')}`)
    expect(await change).toEqual({ kind: 'accepted', objects: 2, warnings: [] })
    expect(amounts(source)).toEqual([2n, 3n])
  })

  it('is looked at now and then although nothing was heard', async () => {
    const folder = folderWith({ 'a.yaml': budgetPolicy(limitSpec({ amount: '1' })) })
    const source = await open(join(folder, '.'), { settleMs: 1, rescanMs: 5 })
    const change = nextChange(source)
    writeFileSync(join(folder, 'a.yaml'), budgetPolicy(limitSpec({ amount: '2' })))
    expect((await change).kind).toBe('accepted')
  })

  it('says nothing where nothing changed, and nothing once it is closed', async () => {
    const folder = folderWith({ 'a.yaml': budgetPolicy(limitSpec()) })
    const source = await open(folder)
    const changes: PolicyChange[] = []
    source.onChange(change => changes.push(change))
    await source.rescan()
    await source.close()
    writeFileSync(join(folder, 'a.yaml'), budgetPolicy('{}'))
    await source.rescan()
    expect(changes).toEqual([])
  })

  it('warns of a limit that starts a new balance, and keeps the partitions of those that do not', async () => {
    const partitionBy = [{ attribute: 'user' }]
    const folder = folderWith({ 'a.yaml': budgetPolicy(limitSpec({ partitionBy })) })
    const source = await open(folder, { settleMs: NEVER_MS })
    const [limit] = source.current().declared()
    const who = {
      route: { namespace: 'default', name: 'r', rule: null },
      gateways: [],
      accessKey: null,
      credential: null,
      attributes: new Map([['user', 'u']]),
      claims: new Map(),
      serviceAccount: null,
      headers: new Map(),
    }
    source
      .current()
      .bindSubject(who)
      .bind({ models: ['m'], provider: null, endpoint: 'e' })
    const changes: PolicyChange[] = []
    source.onChange(change => changes.push(change))
    writeFileSync(join(folder, 'a.yaml'), budgetPolicy(limitSpec({ partitionBy, amount: '7' })))
    await source.rescan()
    expect(source.partitions.count(limit!.key)).toBe(1)
    writeFileSync(join(folder, 'a.yaml'), budgetPolicy(limitSpec({ partitionBy, window: { calendar: 'Day' } })))
    await source.rescan()
    expect(source.partitions.count(limit!.key)).toBe(0)
    expect(changes.map(change => (change.kind === 'accepted' ? change.warnings : change))).toEqual([
      [],
      ['BudgetPolicy default/team: limit month: counts USD in calendar:Day:UTC:1 now and starts a new balance'],
    ])
  })
})
