// The simulated machine itself: order, rest between events, pauses and deaths, connections that keep their order. A simulation is worth what
// these are.
import { describe, expect, it } from 'vitest'
import { Chance } from './chance.ts'
import { FAIR, Link } from './link.ts'
import { Machine } from './machine.ts'
import { Process } from './process.ts'

const process = (machine: Machine): Process => new Process(machine, 'one', new Chance(1), { wallOffMs: 5_000, drift: 0 })

describe('the machine', () => {
  it('runs events by time, those of one time in the order they were asked for, and none that was called off', async () => {
    const machine = new Machine(1_000)
    const seen: string[] = []
    const note = (what: string) => () => void seen.push(`${machine.nowMs} ${what}`)
    machine.after(20, note('late'))
    machine.after(10, note('first'))
    machine.after(10, note('second'))
    machine.after(15, note('never'))()
    machine.at(0, note('past'))
    await machine.run()
    expect(seen).toEqual(['1000 past', '1010 first', '1010 second', '1020 late'])
  })

  it('lets every promise come to rest between two events, however long its chain', async () => {
    const machine = new Machine(0)
    let steps = 0
    machine.after(1, async () => {
      for (let i = 0; i < 1_000; i++) {
        await null
        steps += 1
      }
    })
    let seen = 0
    machine.after(1, () => {
      seen = steps
    })
    await machine.run()
    expect(seen).toBe(1_000)
  })

  it('ends at the first violation, and keeps it', async () => {
    const machine = new Machine(0)
    let ran = 0
    for (let i = 0; i < 3; i++) {
      machine.after(i, () => {
        ran += 1
        machine.fail(`number ${ran}`)
      })
    }
    await machine.run()
    expect(machine.violation).toBe('number 1')
    expect(ran).toBe(1)
  })
})

describe('a process', () => {
  it('is late after a pause, works off what came, one by one, and hears nothing when it is dead', async () => {
    const machine = new Machine(0)
    const one = process(machine)
    const seen: string[] = []
    const note = (what: string) => () => void seen.push(`${machine.nowMs} ${what}`)
    machine.after(10, () => one.pause(100))
    one.timer.after(20, note('timer'))
    const callOff = one.timer.after(30, note('called off meanwhile'))
    machine.after(40, () => one.run(note('message')))
    machine.after(50, callOff)
    machine.after(120, () => one.kill())
    machine.after(130, () => one.run(note('too late')))
    await machine.run()
    expect(seen).toEqual(['110 timer', '110 message'])
    expect(one.clock.wallMs()).toBe(machine.nowMs + 5_000)
  })
})

describe('a connection', () => {
  it('keeps its order when a message is held back, and delivers what was sent before it was given up', async () => {
    const machine = new Machine(0)
    const link = new Link(machine, new Chance(3))
    const wire = link.connect({}, () => {})
    const seen: string[] = []
    link.weather = { ...FAIR, held: 1, holdMs: 1_000 }
    wire.send(() => seen.push('held'))
    link.weather = FAIR
    wire.send(back => {
      seen.push('behind it')
      back(() => seen.push('an answer that nobody hears'))
    })
    wire.close()
    link.connect({}, () => {}).send(() => seen.push('on another'))
    await machine.run()
    expect(seen).toEqual(['on another', 'held', 'behind it'])
    expect(machine.nowMs).toBeGreaterThan(700)
  })

  it('passes nothing while it is cut, tells nobody, and stays deaf', async () => {
    const machine = new Machine(0)
    const link = new Link(machine, new Chance(3))
    const heard: string[] = []
    const wire = link.connect({}, () => heard.push('closed'))
    link.isCut = true
    wire.send(() => heard.push('through'))
    link.isCut = false
    wire.send(() => heard.push('through'))
    await machine.run()
    expect(heard).toEqual([])
    link.closeAll()
    expect(wire.isOpen).toBe(false)
  })
})
