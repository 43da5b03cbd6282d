// One law on the embedded stores: the memory ledger is the model, SQLite must not be told from it.
import { expect, it } from 'vitest'
import { makeMemory, makeSqlite } from './makers.ts'
import { oneLaw } from './one-law.ts'

it('memory and SQLite answer every command list alike', async () => {
  await oneLaw({ memory: makeMemory, sqlite: makeSqlite }, { runs: 40, commands: 60, entries: true })
}, 120_000)

it('the model holds together over many more, and the lists reach every outcome', async () => {
  const seen = await oneLaw({ memory: makeMemory }, { runs: 400, commands: 80, entries: true })
  const reached = [
    ...['reserved', 'refused'].map(kind => `reserve: ${kind}`),
    ...['exists', 'exists-different', 'tombstoned'].map(kind => `again: ${kind}`),
    ...['settled', 'settled-over', 'already-settled', 'settled-late', 'raised', 'conflict'].map(kind => `settle: ${kind}`),
    ...['released', 'already-released', 'already-settled', 'settled-late', 'tombstoned'].map(kind => `release: ${kind}`),
    ...['reasserted', 'forgotten'].map(kind => `unseen: ${kind}`),
    ...['too-late', 'window-stale', 'too-many-limits', 'out-of-bounds', 'clock-skew'].map(kind => `wrong: ${kind}`),
    'sweep: swept',
  ]
  for (const outcome of reached) expect(seen.get(outcome) ?? 0, outcome).toBeGreaterThan(0)
}, 120_000)
