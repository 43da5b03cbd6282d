// The controller's flags, and its life: nothing is written before everything is read, and its parts end in order.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { type Controlling, control } from '../../src/cli/control.ts'
import { CONTROL_FLAGS, parseControlConfig } from '../../src/cli/control-config.ts'
import { ConfigError } from '../../src/config/values.ts'
import { FLAGS } from '../../src/config.ts'
import type { LedgerReader } from '../../src/ports.ts'

describe('the flags of control', () => {
  it('mean what those of serve mean, but for its own', () => {
    const own = Object.entries(CONTROL_FLAGS).filter(([name, flag]) => JSON.stringify(flag) !== JSON.stringify(FLAGS[name]))
    expect(own.map(([name]) => name)).toEqual(['http-listen', 'lease-namespace'])
  })

  it('come from the environment too, and have defaults', () => {
    expect(parseControlConfig([], {})).toMatchObject({
      ...{ ledger: 'sqlite:./purser.db', ledgerName: 'default', httpListen: '127.0.0.1:9004', leaseNamespace: null },
      ...{ trustedHeaders: [], defaultNamespace: 'default', logLevel: 'info' },
    })
    const env = { PURSER_LEDGER: 'redis://redis', PURSER_LEASE_NAMESPACE: 'ai', PURSER_TRUSTED_HEADERS: 'X-Team' }
    expect(parseControlConfig(['--lease-namespace', 'ops'], env)).toMatchObject({
      ...{ ledger: 'redis://redis', leaseNamespace: 'ops', trustedHeaders: ['x-team'] },
    })
  })

  it.each([
    [['--ledger', 'memory:'], /--ledger memory: is inside the serve that has it/],
    [['--lease-namespace', 'Not a name'], /--lease-namespace Not a name: allowed: a namespace name/],
    [['--http-listen', 'nowhere'], /HOST:PORT/],
    [['--policies', 'x'], /see 'purser control --help'/],
    [['policies'], /'policies' is not a flag/],
  ])('%j are refused in words', (args, words) => {
    expect(() => parseControlConfig(args, {})).toThrow(ConfigError)
    expect(() => parseControlConfig(args, {})).toThrow(words)
  })
})

describe('the life of a controller', () => {
  function world(synced: Promise<void>) {
    const happened: string[] = []
    let notReady: () => string | null = () => null
    const ledger = { close: async () => void happened.push('ledger closed') } as Partial<LedgerReader> as LedgerReader
    const controlling: Controlling = {
      policies: { synced, current: () => expect.fail('not asked'), onChange: () => {}, close: async () => {} },
      stand: () => void happened.push(`stands, ${notReady() ?? 'ready'}`),
      stop: async () => void happened.push(`controller stopped, ${notReady()}`),
    }
    const wiring = {
      openLedger: async () => ledger,
      openController: () => controlling,
      openHttp: async (why: () => string | null) => {
        notReady = why
        happened.push(`http: ${why()}`)
        const server = createServer().listen(0, '127.0.0.1')
        await once(server, 'listening')
        server.on('close', () => happened.push('http closed'))
        return server
      },
      say: (message: string) => void happened.push(message),
      fault: (message: string) => void happened.push(message),
    }
    return { happened, wiring }
  }
  const config = parseControlConfig([], {})

  it('is one of reading, standing and stopping, in this order', async () => {
    const { happened, wiring } = world(Promise.resolve())
    const { promise: stop, resolve } = Promise.withResolvers<string>()
    const say = (message: string): void => {
      wiring.say(message)
      if (message === 'ready') resolve('SIGTERM')
    }
    expect(await control(config, { ...wiring, say }, stop)).toBe(0)
    expect(happened.filter(what => what !== 'http closed')).toEqual([
      ...[
        'http: policies are not read yet',
        'stands, ready',
        'ready',
        'stopping',
        'controller stopped, stopping',
        'ledger closed',
        'stopped',
      ],
    ])
  })

  it('ends when it is told to before anything was read, and has never stood', async () => {
    const { happened, wiring } = world(new Promise(() => {}))
    expect(await control(config, wiring, Promise.resolve('SIGTERM'))).toBe(0)
    expect(happened).not.toContain('ready')
    expect(happened.some(what => what.startsWith('stands'))).toBe(false)
    expect(happened).toContain('controller stopped, stopping')
  })
})
