// The output of a command as another program reads it: all of it, however slowly it is read.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'

const BIN = join(import.meta.dirname, '../../bin/purser')

it('is whole although nobody reads it at first', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'purser-output-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  // Far more than a pipe holds.
  const kinds = Array.from({ length: 5_000 }, (_, index) => `apiVersion: purser.dev/v1alpha1\nkind: Kind${index}`)
  writeFileSync(join(folder, 'p.yaml'), kinds.join('\n---\n'))
  const child = spawn(BIN, ['check', folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  // Every chance to end before it is read; it must not take it.
  await Promise.race([exited, after(3_000)])
  const lines = (await child.stdout.toArray()).join('').trimEnd().split('\n')
  expect(lines).toHaveLength(5_000)
  expect(lines.every(line => line.endsWith('ModelPriceList'))).toBe(true)
  expect(await exited).toEqual([1, null])
})
