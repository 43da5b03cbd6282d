// Envoy ends every exchange with a stream reset: Node must not take that for an attack. The order of the first tests matters.
import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import { expect, it } from 'vitest'
import { countStreamResets, cureStreamResets, proveStreamResets } from '../../src/envoy/reset-cure.ts'
import { certificateFiles } from './certificate.ts'
import { House } from './peer.ts'

it('finds that Node as it is closes the connection', async () => {
  const { goaway } = await countStreamResets()
  expect(goaway).toBe(true)
  await expect(proveStreamResets()).rejects.toThrow(/closes a connection after [0-9]+ stream resets.*Node 24/)
})

it('finds the cure to work, also when applied twice', async () => {
  cureStreamResets()
  const { createServer, createSecureServer } = http2
  cureStreamResets()
  expect(http2.createServer).toBe(createServer)
  expect(http2.createSecureServer).toBe(createSecureServer)
  expect(await countStreamResets()).toEqual({ opened: 1_500, goaway: false })
  await proveStreamResets()
})

it('keeps the other ways of making a server', async () => {
  const server = http2.createServer((_request, response) => void response.end('here'))
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const client = http2.connect(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
  const stream = client.request({ ':path': '/' })
  let text = ''
  for await (const chunk of stream) text += chunk
  expect(text).toBe('here')
  client.close()
  await new Promise<void>(resolve => void server.close(() => resolve()))
})

it('holds on the door itself', async () => {
  const house = await House.open()
  const client = http2.connect(`http://127.0.0.1:${house.door.port}`)
  expect(await resets(client)).toEqual([])
  client.destroy()
  house.door.stop()
})

it('holds on a door with TLS', async () => {
  const files = certificateFiles()
  const house = await House.open({ cert: files.cert, key: files.key, clientCa: null })
  const client = http2.connect(`https://localhost:${house.door.port}`, {
    ca: readFileSync(files.cert),
    lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
  })
  expect(await resets(client)).toEqual([])
  client.destroy()
  house.door.stop()
  files.remove()
})

/** Opens and resets 1,500 streams; what went wrong on the connection. */
async function resets(client: http2.ClientHttp2Session): Promise<string[]> {
  const faults: string[] = []
  client.on('goaway', code => faults.push(`goaway ${code}`))
  client.on('error', fault => faults.push(fault.message))
  await new Promise(resolve => client.once('connect', resolve))
  for (let round = 0; round < 15; round++) {
    const closed = Array.from({ length: 100 }, () => {
      const stream = client.request({
        ':method': 'POST',
        ':path': '/envoy.service.ext_proc.v3.ExternalProcessor/Process',
        'content-type': 'application/grpc',
      })
      stream.on('error', () => {})
      stream.close(http2.constants.NGHTTP2_CANCEL)
      return new Promise(resolve => stream.once('close', resolve))
    })
    await Promise.all(closed)
  }
  await new Promise(resolve => client.ping(resolve))
  return faults
}
