// docs/failures.md says of every failure drill what the drill itself shows. `UPDATE=1 npx vitest run test/failures-page.test.ts` writes it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { CHAPTERS } from './drills/chapters.ts'
import { renderDrills } from './drills/page.ts'

const PAGE = join(import.meta.dirname, '../docs/failures.md')
const MARKED = /(<!-- drills -->\n)[\s\S]*(<!-- \/drills -->)/

it('every drill has an id of its own, and there are enough of them', () => {
  const ids = CHAPTERS.flatMap(({ drills }) => drills.map(({ id }) => id))
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBeGreaterThanOrEqual(24)
})

it('the page is what the drills show', () => {
  const page = readFileSync(PAGE, 'utf8')
  const told = page.replace(MARKED, (_, from: string, to: string) => `${from}${renderDrills(CHAPTERS)}${to}`)
  expect(page).toMatch(MARKED)
  if (process.env['UPDATE'] === '1') writeFileSync(PAGE, told)
  else expect(page).toBe(told)
})
