// The server around the streams: health, reflection, drain, stop, TLS, and what it says when it cannot be opened.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { credentials, loadPackageDefinition, type ServiceClientConstructor, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { protoPath as healthProto } from 'grpc-health-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { BodyAnswer } from '../../src/enforcer/exchange.ts'
import { openDoor } from '../../src/envoy/server.ts'
import { certificateFiles } from './certificate.ts'
import { answer, body, CLOCK, House, head, KeptLog, later, NO_CHANGE, piece } from './peer.ts'

const ADMIT: BodyAnswer = { kind: 'admit', body: null, change: NO_CHANGE, metadata: {} }
const NOTHING_HANDED = { resume: () => null, witness: () => {}, refused: () => {} }
const NAME = 'envoy.service.ext_proc.v3.ExternalProcessor'
const closing: (() => void)[] = []

async function opened(tls: Parameters<typeof House.open>[0] = null): Promise<House> {
  const house = await House.open(tls)
  closing.push(() => house.door.stop())
  return house
}

const closes = <T extends { close(): void }>(client: T): T => {
  closing.push(() => client.close())
  return client
}

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** Any unary or streaming client of a loaded service. */
function clientOf(path: string, service: string, port: number): InstanceType<ServiceClientConstructor> {
  const loaded = loadPackageDefinition(loadSync(path, { enums: String, oneofs: true }))
  const found = service.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], loaded) as ServiceClientConstructor
  return closes(new found(`127.0.0.1:${port}`, credentials.createInsecure()))
}

const healthOf = (port: number, service: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const client = clientOf(healthProto, 'grpc.health.v1.Health', port)
    client['check']?.({ service }, (fault: Error | null, reply: { status: string }) =>
      fault === null ? resolve(reply.status) : reject(fault),
    )
  })

describe('health', () => {
  it('is NOT_SERVING until calls are welcome, for the server and for ext_proc', async () => {
    const factory = {
      open: () => {
        throw new Error('none is opened here')
      },
      ...NOTHING_HANDED,
      admitting: () => true,
    }
    const door = await openDoor(factory, { listen: '127.0.0.1:0', tls: null, clock: CLOCK, log: new KeptLog() })
    closing.push(() => door.stop())
    expect(await healthOf(door.port, '')).toBe('NOT_SERVING')
    door.serve()
    expect(await healthOf(door.port, '')).toBe('SERVING')
    expect(await healthOf(door.port, NAME)).toBe('SERVING')
    await expect(healthOf(door.port, 'other')).rejects.toThrow('NOT_FOUND')
  })

  it('tells watchers at once when the door drains', async () => {
    const { door } = await opened()
    const watch = clientOf(healthProto, 'grpc.health.v1.Health', door.port)['watch']?.({ service: '' })
    const seen: string[] = []
    await new Promise<void>(resolve => {
      watch.on('data', ({ status: told }: { status: string }) => {
        seen.push(told)
        if (seen.length === 1) void door.drain()
        else resolve()
      })
      watch.on('error', () => {})
    })
    expect(seen).toEqual(['SERVING', 'NOT_SERVING'])
    watch.cancel()
  })
})

describe('reflection', () => {
  it('lists the services, and describes them by name', async () => {
    const { door } = await opened()
    const path = join(
      dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json')),
      'build/proto/grpc/reflection/v1/reflection.proto',
    )
    const stream = clientOf(path, 'grpc.reflection.v1.ServerReflection', door.port)['serverReflectionInfo']?.()
    const ask = (request: object): Promise<Record<string, never>> =>
      new Promise(resolve => {
        stream.once('data', resolve)
        stream.write(request)
      })
    const list = await ask({ listServices: '*' })
    expect((list['listServicesResponse'] as unknown as { service: { name: string }[] }).service.map(({ name }) => name).sort()).toEqual([
      'envoy.service.accesslog.v3.AccessLogService',
      'envoy.service.auth.v3.Authorization',
      NAME,
      'grpc.health.v1.Health',
    ])
    const file = await ask({ fileContainingSymbol: NAME })
    expect((file['fileDescriptorResponse'] as unknown as { fileDescriptorProto: Buffer[] }).fileDescriptorProto.length).toBeGreaterThan(0)
    stream.end()
    await new Promise(resolve => stream.on('end', resolve))
  })
})

describe('a drain', () => {
  it('lets open exchanges go on to their end, and lets no new one in', async () => {
    const house = await opened()
    const envoy = closes(house.connect())
    const verdict = later<BodyAnswer>()
    house.script = { body: () => verdict.promise }
    const [judged, metered] = [envoy.open(), envoy.open()]
    await judged.ask(head())
    judged.send(body('{}'))
    await house.exchange.seen('requestBody {}')
    house.script = {}
    await metered.ask(head())
    await metered.ask(body('{}'))
    await metered.ask(answer('200'))

    let drained = false
    const over = house.door.drain().then(() => {
      drained = true
    })
    const late = closes(house.connect()).open()
    expect(await late.ask(head())).toBeNull()
    expect(await late.ended).toBe(status.UNAVAILABLE)

    expect((await metered.ask(piece('more')))?.response).toBe('responseBody')
    verdict.resolve(ADMIT)
    await judged.until(2)
    expect((await judged.ask(answer('200')))?.response).toBe('responseHeaders')
    expect(drained).toBe(false)
    judged.cancel()
    metered.cancel()
    await over
    expect(house.door.open).toBe(0)
    expect(house.exchanges).toHaveLength(2)
  })

  it('when its time is over ends what harms no client, and keeps what has no verdict', async () => {
    const house = await opened()
    const envoy = closes(house.connect())
    const verdict = later<BodyAnswer>()
    const streams = [envoy.open(), envoy.open(), envoy.open(), envoy.open()] as const
    const [waiting, judged, admitted, metered] = streams
    house.script = { body: () => verdict.promise }
    await waiting.ask(head())
    await judged.ask(head())
    judged.send(body('slow'))
    await house.exchange.seen('requestBody slow')
    house.script = {}
    await admitted.ask(head())
    await admitted.ask(body('{}'))
    await metered.ask(head())
    await metered.ask(body('{}'))
    await metered.ask(answer('200'))
    const over = house.door.drain()
    house.door.settleOpen()
    expect(await admitted.ended).toBe(status.OK)
    expect(await metered.ended).toBe(status.OK)
    expect(house.door.open).toBe(2)
    expect(house.exchanges.map(({ calls }) => calls.at(-1))).toEqual(['drain', 'drain', 'closed', 'closed'])
    house.door.stop()
    await over
    expect(await waiting.ended).not.toBe(status.OK)
    expect(await judged.ended).not.toBe(status.OK)
    verdict.resolve(ADMIT)
    await verdict.promise
    expect(house.exchanges.map(({ calls }) => calls.filter(call => call === 'closed').length)).toEqual([1, 1, 1, 1])
    expect(house.exchanges.flatMap(({ offences }) => offences)).toEqual([])
    expect(house.log.errors).toEqual([])
  })

  it('keeps a stream whose exchange asks for that, until it is stopped', async () => {
    const house = await opened()
    house.script = { drain: 'keep' }
    const stream = closes(house.connect()).open()
    await stream.ask(head())
    await stream.ask(body('{}'))
    house.door.settleOpen()
    expect((await stream.ask(answer('200')))?.response).toBe('responseHeaders')
    house.door.stop()
    expect(await stream.ended).not.toBe(status.OK)
    expect(house.exchange.calls.at(-1)).toBe('closed')
  })

  it('of an idle door is over at once', async () => {
    const house = await opened()
    await house.door.drain()
  })
})

describe('TLS', () => {
  it('serves with a certificate, and lets in only clients of the client CA', async () => {
    const files = certificateFiles()
    closing.push(() => files.remove())
    const house = await opened({ cert: files.cert, key: files.key, clientCa: files.cert })
    const [ca, key] = [readFileSync(files.cert), readFileSync(files.key)]
    const named = { checkServerIdentity: () => undefined }
    const known = closes(house.connect(credentials.createSsl(ca, key, ca, named))).open()
    expect((await known.ask(head()))?.response).toBe('requestHeaders')
    const stranger = closes(house.connect(credentials.createSsl(ca, null, null, named))).open()
    expect(await stranger.ask(head())).toBeNull()
    expect(await stranger.ended).toBe(status.UNAVAILABLE)
    known.cancel()
  })
})

describe('a door that cannot be opened', () => {
  const factory = {
    open: () => {
      throw new Error('none is opened here')
    },
    ...NOTHING_HANDED,
    admitting: () => true,
  }
  const open = (listen: string, tls: Parameters<typeof House.open>[0] = null) =>
    openDoor(factory, { listen, tls, clock: CLOCK, log: new KeptLog() })

  it('names the address that is taken', async () => {
    const other = createServer()
    await new Promise<void>(resolve => void other.listen(0, '127.0.0.1', resolve))
    closing.push(() => void other.close())
    const address = other.address()
    const port = typeof address === 'object' ? address?.port : 0
    await expect(open(`127.0.0.1:${port}`)).rejects.toThrow(new RegExp(`cannot listen on '127\\.0\\.0\\.1:${port}' for gRPC: .*EADDRINUSE`))
  })

  it.each(['', 'nonsense::::', '127.0.0.1:99999', '127.0.0.1:x'])('refuses the address %j', async listen => {
    await expect(open(listen)).rejects.toThrow('cannot listen on')
  })

  it('names the file that is missing or wrong', async () => {
    const files = certificateFiles()
    closing.push(() => files.remove())
    await expect(open('127.0.0.1:0', { ...files, cert: '/nowhere/cert.pem', clientCa: null })).rejects.toThrow(
      'cannot read the TLS certificate /nowhere/cert.pem',
    )
    await expect(open('127.0.0.1:0', { ...files, key: '/nowhere/key.pem', clientCa: null })).rejects.toThrow(
      'cannot read the TLS key /nowhere/key.pem',
    )
    writeFileSync(files.key, 'no key at all')
    await expect(open('127.0.0.1:0', { ...files, clientCa: null })).rejects.toThrow(files.key)
  })
})
