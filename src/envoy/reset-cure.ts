// Lets Envoy reset as many streams as it likes: it ends every exchange with a reset, and Node answers 1,000 of them (plus 33 a second)
// with GOAWAY, which cuts every other stream of the connection. Touches public options of node:http2 only, never grpc-js.
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { STREAM_RESETS_BURST } from '../limits.ts'

/** More than Node's own burst of 1,000. */
const PROOF_STREAMS = 1_500
const PROOF_BATCH = 100
const CURED = Symbol.for('purser.stream-reset-cure')

type Listener = (...args: unknown[]) => void
type Maker = (options: http2.ServerOptions, listener?: Listener) => http2.Http2Server

/**
 * Wraps the two makers of HTTP/2 servers so that every server made from now on takes any number of stream resets. To be called before
 * the first bind; a second call changes nothing. grpc-js has no option for this: it calls these makers through the module object.
 */
export function cureStreamResets(): void {
  for (const name of ['createServer', 'createSecureServer'] as const) {
    const make = http2[name] as Maker & { [CURED]?: true }
    if (make[CURED] === true) continue
    const cured: { (options?: http2.ServerOptions | Listener, listener?: Listener): http2.Http2Server; [CURED]?: true } = (
      options,
      listener,
    ) => {
      const given = typeof options === 'function' ? {} : options
      // Both are needed: the rate refills the burst, and either alone leaves Node's default for the other.
      const all = { ...given, streamResetBurst: STREAM_RESETS_BURST, streamResetRate: STREAM_RESETS_BURST }
      return make.call(http2, all, typeof options === 'function' ? options : listener)
    }
    cured[CURED] = true
    Reflect.set(http2, name, cured)
  }
}

/**
 * Opens and resets 1,500 streams on a loopback connection of its own.
 * @returns how many were opened before a GOAWAY came: `PROOF_STREAMS` and no `goaway` where the cure works.
 * @throws where no loopback connection can be made.
 */
export async function countStreamResets(): Promise<{ readonly opened: number; readonly goaway: boolean }> {
  const server = http2.createServer({})
  server.on('stream', stream => stream.on('error', () => {}))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  let goaway = false
  client.once('goaway', () => {
    goaway = true
  })
  client.on('error', () => {})
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve())
      client.once('error', reject)
    })
    let opened = 0
    while (opened < PROOF_STREAMS && !goaway && !client.destroyed && !client.closed) {
      await resetSome(client, PROOF_BATCH)
      opened += PROOF_BATCH
    }
    if (!client.destroyed && !client.closed) await pinged(client)
    return { opened, goaway: goaway || client.destroyed }
  } finally {
    client.destroy()
    await new Promise<void>(resolve => server.close(() => resolve()))
  }
}

/** Refuses to go on where Node would break Envoy's streams. Takes about a tenth of a second. @throws with what to do about it. */
export async function proveStreamResets(): Promise<void> {
  const { opened, goaway } = await countStreamResets()
  if (!goaway && opened >= PROOF_STREAMS) return
  throw new Error(
    `This Node (${process.version}) closes a connection after ${opened} stream resets, which would cut streams behind Envoy: Node 24 or newer is needed.`,
  )
}

async function resetSome(client: http2.ClientHttp2Session, count: number): Promise<void> {
  const closings: Promise<void>[] = []
  for (let i = 0; i < count; i++) {
    const stream = client.request({ ':method': 'POST', ':path': '/' })
    closings.push(new Promise(resolve => stream.once('close', () => resolve())))
    stream.on('error', () => {})
    stream.close(http2.constants.NGHTTP2_CANCEL)
  }
  await Promise.all(closings)
}

const pinged = (client: http2.ClientHttp2Session): Promise<void> =>
  new Promise(resolve => {
    client.once('close', () => resolve())
    if (!client.ping(() => resolve())) resolve()
  })
