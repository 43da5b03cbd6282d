// The reflector against every fault: whatever happens, it goes on, and in the end it has told what is there.
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { RawObject } from '../../src/kubernetes/raw-object.ts'
import { Reflector } from '../../src/kubernetes/reflector.ts'
import { systemClock, systemRandom } from '../../src/system.ts'
import { apiOf, type FakeApi, PATH, startFakeApi, type Thing } from './fake-api.ts'

interface Mirror {
  readonly reflector: Reflector
  readonly seen: Map<string, number>
  readonly told: string[]
}

function mirror(fake: FakeApi, over: { idleMs?: number; token?: () => string; port?: number; absentLookMs?: number } = {}): Mirror {
  const seen = new Map<string, number>()
  const told: string[] = []
  const reflector = new Reflector({
    api: apiOf(over.port ?? fake.port, over.token),
    clock: systemClock,
    random: systemRandom,
    path: PATH,
    told: {
      put: (object: RawObject) => {
        const { metadata, spec } = object as Thing
        told.push(`put ${metadata.name} ${spec.value}`)
        seen.set(metadata.name, spec.value)
      },
      removed: key => {
        told.push(`removed ${key}`)
        seen.delete(key.replace('ns/', ''))
      },
      away: why => told.push(`away ${why}`),
      back: () => told.push('back'),
      served: isServed => told.push(`served ${isServed}`),
    },
    retryMs: 2,
    ...(over.absentLookMs === undefined ? {} : { absentLookMs: over.absentLookMs }),
    ...(over.idleMs === undefined ? {} : { idleMs: over.idleMs }),
  })
  onTestFinished(() => reflector.stop())
  return { reflector, seen, told }
}

const agree = ({ seen }: Mirror, fake: FakeApi): Promise<void> =>
  vi.waitFor(
    () => expect(Object.fromEntries(seen)).toEqual(Object.fromEntries([...fake.things].map(([name, { spec }]) => [name, spec.value]))),
    { timeout: 20_000, interval: 5 },
  )
const watching = (fake: FakeApi): Promise<void> =>
  vi.waitFor(() => expect(fake.watching).toBeGreaterThan(0), { timeout: 20_000, interval: 5 })

async function started(over: Parameters<typeof mirror>[1] = {}): Promise<{ fake: FakeApi; it_: Mirror }> {
  const fake = await startFakeApi()
  fake.put('a', 1)
  const it_ = mirror(fake, over)
  await it_.reflector.synced
  await watching(fake)
  return { fake, it_ }
}

describe('a reflector', () => {
  it('tells what is there, and what comes, changes and goes', async () => {
    const { fake, it_ } = await started()
    fake.put('b', 2)
    fake.put('a', 3)
    fake.delete('b')
    fake.put('b', 4)
    await agree(it_, fake)
    expect(it_.told.filter(line => line !== 'back' && !line.startsWith('served'))).toEqual([
      'put a 1',
      'put b 2',
      'put a 3',
      'removed ns/b',
      'put b 4',
    ])
    expect([fake.lists, fake.watches]).toEqual([1, 1])
  })

  it.each(['end', 'half-line', 'reset'] as const)('goes on from where it was when a watch is cut: %s', async how => {
    const { fake, it_ } = await started()
    fake.put('b', 2)
    await agree(it_, fake)
    fake.cut(how)
    fake.put('c', 3)
    fake.delete('a')
    await agree(it_, fake)
    expect(fake.lists).toBe(1)
    expect(it_.told.filter(line => line.startsWith('put'))).toEqual(['put a 1', 'put b 2', 'put c 3'])
    expect(it_.told.some(line => line.startsWith('away'))).toBe(how !== 'end')
    expect(it_.told.at(-1)).not.toContain('away')
  })

  it('goes on from a bookmark, so that a quiet resource is not listed again', async () => {
    const { fake, it_ } = await started()
    fake.pass()
    fake.bookmark()
    // An event that comes after the bookmark was read as well.
    fake.write('{"type":"ERROR","object":{"code":500}}\n')
    fake.forget()
    fake.put('c', 1)
    await agree(it_, fake)
    expect(fake.lists).toBe(1)
  })

  it.each([
    ['inside the stream', []],
    ['as a status', [{ kind: 'status' as const, status: 410 }]],
  ])('lists again when its version is forgotten, told %s', async (_where, faults) => {
    const { fake, it_ } = await started()
    fake.faults = faults
    fake.cut('end')
    fake.put('b', 2)
    fake.delete('a')
    fake.forget()
    await agree(it_, fake)
    expect(fake.lists).toBe(2)
    expect(it_.told).not.toContainEqual(expect.stringContaining('away'))
  })

  it('asks a server that ends every watch at once less and less', async () => {
    const { fake } = await started()
    fake.isHasty = true
    fake.cut('end')
    await vi.waitFor(() => expect(fake.watches).toBeGreaterThan(9), { timeout: 20_000, interval: 5 })
    const { watches } = fake
    for (let turn = 0; turn < 50; turn += 1) await new Promise(resolve => setImmediate(resolve))
    expect(fake.watches).toBe(watches)
  })

  it('tells of deletes that it did not see, and nothing of what stayed', async () => {
    const { fake, it_ } = await started()
    fake.put('b', 2)
    await agree(it_, fake)
    const before = it_.told.length
    fake.faults = [{ kind: 'reset' }, { kind: 'status', status: 500 }]
    fake.cut('reset')
    fake.delete('a')
    fake.delete('b')
    fake.put('b', 2)
    fake.put('c', 3)
    fake.forget()
    await agree(it_, fake)
    expect(fake.lists).toBe(2)
    const after = it_.told.slice(before).filter(line => !/^(away|back|served)/.test(line))
    // The second b is another object than the first.
    expect(after.toSorted()).toEqual(['put b 2', 'put c 3', 'removed ns/a'])
  })

  it.each([
    ['500', { kind: 'status', status: 500 }],
    ['429 with Retry-After', { kind: 'status', status: 429, retryAfter: '0' }],
    ['503', { kind: 'status', status: 503, retryAfter: 'soon' }],
    ['403', { kind: 'status', status: 403 }],
    ['404', { kind: 'status', status: 404 }],
    ['a reset', { kind: 'reset' }],
    ['garbage', { kind: 'garbage' }],
  ] as const)('outlives %s, in the list and in the watch', async (_name, fault) => {
    const fake = await startFakeApi()
    fake.put('a', 1)
    fake.faults = [fault, fault]
    const it_ = mirror(fake)
    await it_.reflector.synced
    await watching(fake)
    expect(it_.told.filter(line => line.startsWith('away')).length).toBeGreaterThanOrEqual(2)
    fake.faults = [fault, fault]
    fake.cut('end')
    fake.put('b', 2)
    await agree(it_, fake)
    expect(fake.lists).toBe(3)
  })

  it('says why nothing is heard', async () => {
    const fake = await startFakeApi()
    fake.faults = [
      { kind: 'status', status: 403 },
      { kind: 'status', status: 404 },
    ]
    const it_ = mirror(fake)
    await it_.reflector.synced
    expect(it_.told.slice(0, 2)).toEqual(['away 403 as asked', 'away not found: are the CRDs of the chart applied?'])
  })

  it('of a resource that may be absent has nothing to tell while it is, and finds it when it comes', async () => {
    const fake = await startFakeApi()
    fake.put('a', 1)
    const absent = { kind: 'status', status: 404 } as const
    fake.faults = [absent, absent]
    const it_ = mirror(fake, { absentLookMs: 2 })
    await it_.reflector.synced
    expect(it_.told.slice(0, 2)).toEqual(['served false', 'back'])
    await agree(it_, fake)
    await watching(fake)
    expect(it_.told).toContain('served true')
    expect(it_.told.filter(line => line.startsWith('away'))).toEqual([])
    // It is taken away while it is watched: what was there is gone.
    fake.faults = [absent, absent]
    fake.cut('end')
    await vi.waitFor(() => expect(it_.told.slice(-4)).toContain('removed ns/a'), { timeout: 20_000, interval: 1 })
    await agree(it_, fake)
    await watching(fake)
    expect(it_.told.filter(line => line.startsWith('away'))).toEqual([])
  })

  it('of a resource that may be absent still says why nothing is heard of it otherwise', async () => {
    const fake = await startFakeApi()
    fake.put('a', 1)
    fake.faults = [
      { kind: 'status', status: 403 },
      { kind: 'status', status: 503 },
    ]
    const it_ = mirror(fake, { absentLookMs: 2 })
    await it_.reflector.synced
    expect(it_.told.filter(line => line.startsWith('away'))).toHaveLength(2)
    await agree(it_, fake)
  })

  it('notices a watch that nobody serves any more', async () => {
    const { fake, it_ } = await started({ idleMs: 50 })
    fake.freeze()
    fake.put('b', 2)
    await agree(it_, fake)
    expect(fake.lists).toBe(1)
    expect(it_.told.join('\n')).toContain('the server was silent for 50 ms')
  })

  it('notices a request that is never answered', async () => {
    const fake = await startFakeApi()
    fake.put('a', 1)
    fake.faults = [{ kind: 'silence' }]
    const it_ = mirror(fake, { idleMs: 50 })
    await it_.reflector.synced
    fake.faults = [{ kind: 'silence' }]
    fake.put('b', 2)
    await agree(it_, fake)
    expect(it_.told[0]).toBe('away the server was silent for 50 ms')
  })

  it('waits for a server that is not there yet', async () => {
    const fake = await startFakeApi()
    const { port } = fake
    await fake.close()
    const it_ = mirror(fake, { port })
    await vi.waitFor(() => expect(it_.told.length).toBeGreaterThan(2))
    expect(it_.told[0]).toContain('ECONNREFUSED')
    fake.put('a', 1)
    await fake.listen(port)
    await it_.reflector.synced
    await agree(it_, fake)
  })

  it('reads its token anew when the server no longer takes it', async () => {
    let token = 'first'
    const fake = await startFakeApi()
    fake.token = 'first'
    const it_ = mirror(fake, { token: () => `${token}\n` })
    await it_.reflector.synced
    await watching(fake)
    fake.token = 'second'
    fake.cut('end')
    fake.put('b', 2)
    await vi.waitFor(() => expect(it_.told.join()).toContain('401 Unauthorized'))
    token = 'second'
    await agree(it_, fake)
  })

  it('lists in pages, and without pages when one has expired', async () => {
    const fake = await startFakeApi()
    fake.pageSize = 3
    for (let index = 0; index < 10; index += 1) fake.put(`t${index}`, index)
    const whole = mirror(fake)
    await whole.reflector.synced
    await agree(whole, fake)
    expect(fake.asked.filter(query => query.includes('continue='))).toHaveLength(3)
    expect(fake.asked[0]).toBe('?limit=2000')

    fake.afterPage = () => {
      fake.delete('t0')
      fake.put('late', 1)
      fake.forget()
    }
    const second = mirror(fake)
    await second.reflector.synced
    await agree(second, fake)
    expect(second.told).toContain('removed ns/t0')
    expect(fake.asked).toContain('')
  })

  it('does not stumble over events that are none', async () => {
    const { fake, it_ } = await started()
    fake.write('{"type":"ADDED","object":{"kind":"Thing"}}\n')
    fake.write('{"type":"ADDED","object":null}\n{"type":"WHATEVER"}\n\n')
    await vi.waitFor(() => expect(fake.watches).toBeGreaterThan(1))
    await watching(fake)
    fake.write(`{"type":"ERROR","object":{"code":500,"message":"etcd is tired"}}\n`)
    await vi.waitFor(() => expect(it_.told.join()).toContain('etcd is tired'))
    fake.put('b', 2)
    await agree(it_, fake)
    expect(fake.lists).toBe(1)
  })

  it('does not take a line without end into memory', async () => {
    const { fake, it_ } = await started()
    for (let megabyte = 0; megabyte < 10; megabyte += 1) fake.write('x'.repeat(1_048_576))
    await vi.waitFor(() => expect(it_.told.join()).toContain('a line is longer than 8388608 bytes'), { timeout: 10_000 })
    fake.put('b', 2)
    await agree(it_, fake)
  })

  it('tells nothing once it has stopped, and leaves no connection', async () => {
    const { fake, it_ } = await started()
    await it_.reflector.stop()
    await vi.waitFor(() => expect(fake.watching).toBe(0))
    const told = it_.told.length
    fake.put('b', 2)
    expect(it_.told).toHaveLength(told)
    const idle = mirror(fake, { port: 1 })
    await vi.waitFor(() => expect(idle.told.length).toBeGreaterThan(0))
    await idle.reflector.stop()
  })

  it('ends up with what is there, whatever happened, in whatever order', async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const fault = fc.constantFrom<FakeApi['faults'][number]>(
      { kind: 'status', status: 500 },
      { kind: 'status', status: 429, retryAfter: '0' },
      { kind: 'status', status: 410 },
      { kind: 'reset' },
      { kind: 'garbage' },
      { kind: 'silence' },
    )
    const step = fc.oneof(
      fc.record({ do: fc.constant('put' as const), name, value: fc.nat(99) }),
      fc.record({ do: fc.constant('delete' as const), name }),
      fc.record({
        do: fc.constantFrom('forget' as const, 'pass' as const, 'bookmark' as const, 'freeze' as const, 'turn' as const, 'wait' as const),
      }),
      fc.record({ do: fc.constant('cut' as const), how: fc.constantFrom('end' as const, 'half-line' as const, 'reset' as const) }),
      fc.record({ do: fc.constant('fault' as const), faults: fc.array(fault, { maxLength: 3 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(3), async (steps, pageSize) => {
        const fake = await startFakeApi()
        fake.pageSize = pageSize
        fake.put('a', 1)
        const it_ = mirror(fake, { idleMs: 100 })
        await it_.reflector.synced
        for (const one of steps) {
          if (one.do === 'put') fake.put(one.name, one.value)
          else if (one.do === 'delete') fake.delete(one.name)
          else if (one.do === 'cut') fake.cut(one.how)
          else if (one.do === 'fault') fake.faults = [...one.faults]
          else if (one.do === 'wait') await watching(fake)
          else if (one.do === 'turn') for (let turn = 0; turn < 5; turn += 1) await new Promise(resolve => setImmediate(resolve))
          else fake[one.do]()
        }
        await agree(it_, fake)
        await it_.reflector.stop()
        await fake.close()
      }),
      { numRuns: 60 },
    )
  }, 120_000)
})
