// `check` as it is used: lines, exit codes, and that every shipped example and every example of the docs is valid.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { check } from '../../src/cli/check.ts'
import { loadObjects } from '../../src/files/load.ts'
import { budgetPolicy, folderWith, limitSpec } from '../files/folder.ts'

const ROOT = join(import.meta.dirname, '../..')

async function run(...paths: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const [out, err]: [string[], string[]] = [[], []]
  const load = (all: readonly string[]) => loadObjects(all, { trustedHeaders: null, defaultNamespace: 'default', nowMs: Date.now() })
  const code = await check(paths, { load }, { out: line => out.push(line), err: line => err.push(line) })
  return { code, out, err }
}

describe('check', () => {
  it('counts valid objects', async () => {
    const folder = folderWith({ 'a.yaml': budgetPolicy(limitSpec()), 'b.yaml': budgetPolicy(limitSpec(), 'b') })
    expect(await run(folder)).toEqual({ code: 0, out: ['2 objects are valid'], err: [] })
    expect(await run(join(folder, 'a.yaml'))).toEqual({ code: 0, out: ['1 object is valid'], err: [] })
  })

  it('prints every problem of every path and ends with 1', async () => {
    const folder = folderWith({
      'a.yaml': budgetPolicy('{nope: 1}'),
      'b.yaml': budgetPolicy('{also: 1}', 'b'),
      'c.yaml': budgetPolicy('{}', 'c'),
    })
    const { code, out } = await run(join(folder, 'b.yaml'), join(folder, 'a.yaml'), join(folder, 'c.yaml'))
    expect(code).toBe(1)
    expect(out.map(line => line.split(':')[0])).toEqual([join(folder, 'a.yaml'), join(folder, 'b.yaml')])
  })

  it('warns on stderr and still ends with 0', async () => {
    const { code, out, err } = await run(folderWith({ 'a.yaml': budgetPolicy('{}') }))
    expect([code, out, err.length]).toEqual([0, ['1 object is valid'], 1])
    expect(err[0]).toMatch(/^warning: .*a\.yaml:1: BudgetPolicy default\/team: spec: /)
    expect(await run(folderWith({}))).toEqual({
      code: 0,
      out: ['0 objects are valid'],
      err: ['warning: there are no objects under these paths'],
    })
  })

  it('needs a path, and one that is there', async () => {
    expect((await run()).code).toBe(2)
    expect(await run('/nowhere')).toMatchObject({ code: 1, out: ['/nowhere:1: file: (root): cannot be read: ENOENT'] })
  })
})

describe('what is shipped', () => {
  it('as examples is valid and cannot be misunderstood', async () => {
    expect(await run(join(ROOT, 'deploy/examples'))).toEqual({
      code: 0,
      out: [expect.stringMatching(/^\d+ objects are valid$/)],
      err: [],
    })
  })

  const blocks = [...readFileSync(join(ROOT, 'docs/policies.md'), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(found => found[1] ?? '')
  it('as examples in the docs is found', () => {
    expect(blocks.length).toBeGreaterThan(8)
  })
  it.each(blocks)('%s', async block => {
    const { code, out } = await run(folderWith({ 'example.yaml': block }))
    expect(out).toEqual([expect.stringMatching(/ valid$/)])
    expect(code).toBe(0)
  })
})
