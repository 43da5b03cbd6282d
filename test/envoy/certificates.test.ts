// Certificates that change while the door is open: what is served follows the files, and never falls behind what was good.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { connect } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { certificateFiles } from './certificate.ts'
import { type Mounted, mounted } from './mounted.ts'
import { House } from './peer.ts'

interface Pair {
  readonly cert: Buffer
  readonly key: Buffer
}

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

let pairs = 0
/** Each with a subject of its own: in a bundle, authorities are found by it. */
function pair(): Pair {
  const files = certificateFiles({ commonName: `authority ${++pairs}` })
  const made = { cert: readFileSync(files.cert), key: readFileSync(files.key) }
  files.remove()
  return made
}

async function opened(first: Pair, clientCa: Buffer | null = null): Promise<{ house: House; secret: Mounted }> {
  const secret = mounted(filesOf(first, clientCa))
  closing.push(() => secret.remove())
  const path = (name: string): string => join(secret.path, name)
  const house = await House.open({ cert: path('tls.crt'), key: path('tls.key'), clientCa: clientCa === null ? null : path('ca.crt') })
  closing.push(() => house.door.stop())
  return { house, secret }
}

const filesOf = ({ cert, key }: Pair, clientCa: Buffer | null) => ({
  'tls.crt': cert,
  'tls.key': key,
  ...(clientCa === null ? {} : { 'ca.crt': clientCa }),
})

/** The certificate that the door shows to a new connection; null where it does not let `client` in. */
function shown(port: number, client: Pair | null = null): Promise<string | null> {
  return new Promise(resolve => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      ...(client ?? {}),
    })
    let serial: string | null = null
    socket.once('secureConnect', () => {
      serial = socket.getPeerX509Certificate()?.fingerprint256 ?? null
    })
    // In TLS 1.3 a client learns that it is refused only when it reads; the server's HTTP/2 settings come where it is not.
    socket.once('data', () => {
      socket.destroy()
      resolve(serial)
    })
    socket.once('error', () => resolve(null))
    socket.once('close', () => resolve(null))
  })
}

const print = ({ cert }: Pair): string => new X509Certificate(cert).fingerprint256

async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('not within 10 s')
    await after(50)
  }
}

describe('certificates of the door', () => {
  it('follow a mounted Secret', async () => {
    const [old, young] = [pair(), pair()]
    const { house, secret } = await opened(old)
    expect(await shown(house.door.port)).toBe(print(old))
    secret.swap(filesOf(young, null))
    await eventually(async () => (await shown(house.door.port)) === print(young))
  })

  it('let in the clients of a new client CA, and those of the old no more', async () => {
    const [server, before, now] = [pair(), pair(), pair()]
    const { house, secret } = await opened(server, before.cert)
    const lets = async (client: Pair): Promise<boolean> => (await shown(house.door.port, client)) !== null
    expect([await lets(before), await lets(now)]).toEqual([true, false])
    secret.swap(filesOf(server, Buffer.concat([before.cert, now.cert])))
    await eventually(() => lets(now))
    expect(await lets(before)).toBe(true)
    secret.swap(filesOf(server, now.cert))
    await eventually(async () => !(await lets(before)))
    expect(await lets(now)).toBe(true)
    expect(await shown(house.door.port, null)).toBeNull()
  })

  it.each<[string, (old: Pair, young: Pair) => Pair, RegExp]>([
    ['a key of another certificate', (old, young) => ({ cert: young.cert, key: old.key }), /are not a pair that can be served/],
    ['half a file', (_, young) => ({ cert: young.cert.subarray(0, 100), key: young.key }), /are not a pair that can be served/],
    ['an empty file', (_, young) => ({ cert: Buffer.alloc(0), key: young.key }), /are not a pair that can be served/],
  ])('stay as they were good last over %s, say so, and follow when it is mended', async (_, broken, words) => {
    const [old, young] = [pair(), pair()]
    const { house, secret } = await opened(old)
    secret.swap(filesOf(broken(old, young), null))
    await eventually(async () => house.log.warnings.some(warning => words.test(warning)))
    expect(await shown(house.door.port)).toBe(print(old))
    secret.swap(filesOf(young, null))
    await eventually(async () => (await shown(house.door.port)) === print(young))
    expect(house.log.warnings).toHaveLength(1)
  })

  it('stay as they were good last where the files are gone, or a client CA is none', async () => {
    const [server, client] = [pair(), pair()]
    const { house, secret } = await opened(server, client.cert)
    secret.swap(filesOf(server, Buffer.from('soon')))
    await eventually(async () => house.log.warnings.some(warning => warning.includes('holds no certificate')))
    expect(await shown(house.door.port, client)).toBe(print(server))
    secret.swap({})
    await eventually(async () => house.log.warnings.some(warning => warning.includes('cannot read the TLS files')))
    expect(await shown(house.door.port, client)).toBe(print(server))
  })
})
