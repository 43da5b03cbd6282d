// Work that waits: in its time, at once where too much waits or somebody hurries, and once.
import { expect, it } from 'vitest'
import { createPatience } from '../../src/enforcer/patience.ts'
import type { Timer } from '../../src/ports.ts'

/** A timer that runs what is due when the test says. */
function handTimer(): Timer & { pass(ms: number): void } {
  let nowMs = 0
  let due: { readonly atMs: number; readonly run: () => void }[] = []
  return {
    after: (ms, run) => {
      const one = { atMs: nowMs + ms, run }
      due.push(one)
      return () => {
        due = due.filter(each => each !== one)
      }
    },
    pass: ms => {
      nowMs += ms
      const ready = due.filter(each => each.atMs <= nowMs)
      due = due.filter(each => each.atMs > nowMs)
      for (const { run } of ready) run()
    },
  }
}

it('runs each work in its time, and once', () => {
  const timer = handTimer()
  const patience = createPatience(timer, 10)
  const done: string[] = []
  patience.wait(100, () => done.push('a'))
  patience.wait(50, () => done.push('b'))
  timer.pass(50)
  expect(done).toEqual(['b'])
  timer.pass(1_000)
  patience.hurry()
  expect(done).toEqual(['b', 'a'])
})

it('lets nothing wait beyond its bound', () => {
  const timer = handTimer()
  const patience = createPatience(timer, 1)
  const done: string[] = []
  patience.wait(100, () => done.push('waits'))
  patience.wait(100, () => done.push('does not'))
  timer.pass(0)
  expect(done).toEqual(['does not'])
})

it('runs all at once when it is hurried, and what comes after too', () => {
  const timer = handTimer()
  const patience = createPatience(timer, 10)
  const done: string[] = []
  patience.wait(100, () => done.push('a'))
  patience.hurry()
  expect(done).toEqual(['a'])
  patience.wait(100, () => done.push('b'))
  timer.pass(0)
  timer.pass(1_000)
  expect(done).toEqual(['a', 'b'])
})
