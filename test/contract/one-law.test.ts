// One law on the embedded stores: SQLite must not be told from the model, and the model's lists reach every outcome.
import { it } from 'vitest'
import { makeMemory, makeSqlite } from './makers.ts'
import { makeModel } from './model.ts'
import { oneLaw } from './one-law.ts'

it('the model, memory and SQLite answer every command list alike', async () => {
  await oneLaw({ model: makeModel, memory: makeMemory, sqlite: makeSqlite }, { runs: 40, commands: 60 })
}, 120_000)

it('the model holds together over many more, and the lists reach every outcome', async () => {
  const reached = [
    ...['reserved', 'refused'].map(kind => `reserve: ${kind}`),
    ...['exists', 'exists-different', 'tombstoned'].map(kind => `again: ${kind}`),
    ...['settled', 'settled-over', 'already-settled', 'settled-late', 'raised', 'conflict'].map(kind => `settle: ${kind}`),
    ...['released', 'already-released', 'already-settled', 'settled-late', 'tombstoned'].map(kind => `release: ${kind}`),
    ...['reasserted', 'arrears', 'forgotten', 'already-settled'].map(kind => `unseen: ${kind}`),
    ...['adjusted', 'already-adjusted', 'still-open', 'not-in-suspense', 'no-money', 'forgotten'].map(kind => `adjust: ${kind}`),
    ...['reasserted', 'exists', 'forgotten'].map(kind => `reassert: ${kind}`),
    ...['too-late', 'window-stale', 'too-many-limits', 'out-of-bounds', 'clock-skew'].map(kind => `wrong: ${kind}`),
    ...['swept', 'unexported'].map(kind => `sweep: ${kind}`),
    ...['found', 'read'].map(kind => `find: ${kind}`),
    ...['observe: observed', 'acknowledge: acknowledged'],
    ...['reserved', 'settled', 'settled-over', 'settled-late', 'raised', 'reasserted', 'released', 'tombstoned'].map(
      what => `entry: ${what}`,
    ),
    ...['expired', 'collected', 'adjusted', 'arrears', 'presented'].map(what => `entry: ${what}`),
  ]
  await oneLaw({ model: makeModel }, { runs: 400, commands: 80, reached })
}, 120_000)
