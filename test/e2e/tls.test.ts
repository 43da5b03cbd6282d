// Between a real Envoy and Purser: mutual TLS whose certificates change under load, and a Unix socket that outlives its process.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { certificateFiles } from '../envoy/certificate.ts'
import { type Mounted, mounted } from '../envoy/mounted.ts'
import { type Answer, call, manyConnections } from './call.ts'
import { type EnvoyConfig, startEnvoy } from './envoy.ts'
import { accessKey, budgetPolicy, KEY, policyFolder } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { startPurser } from './purser.ts'
import { until } from './until.ts'
import { nano, rowOf, settled } from './world.ts'

const endings: (() => unknown)[] = []
let provider: TestProvider

beforeAll(async () => {
  provider = await startTestProvider({ chunkDelayMs: 4 })
  return () => provider.stop()
})

afterEach(async () => {
  for (const ending of endings.splice(0).reverse()) await ending()
})

interface Pair {
  readonly cert: Buffer
  readonly key: Buffer
}

function pair(subject: string): Pair {
  const files = certificateFiles({ commonName: subject })
  const made = { cert: readFileSync(files.cert), key: readFileSync(files.key) }
  files.remove()
  return made
}

function mountedFor(files: Record<string, Buffer | string>): Mounted {
  const secret = mounted(files)
  endings.push(() => secret.remove())
  return secret
}

function policies(): string {
  const folder = policyFolder([
    budgetPolicy('dollars', { limits: [{ name: 'all', unit: 'USD', amount: '100', window: { lifetime: {} } }] }),
    accessKey([]),
  ])
  endings.push(() => folder.remove())
  return folder.path
}

/** What Envoy shows and whom it believes, as a mounted Secret of its own. */
const envoySide = (client: Pair, trusted: readonly Pair[]) => ({
  'tls.crt': client.cert,
  'tls.key': client.key,
  'ca.crt': Buffer.concat(trusted.map(({ cert }) => cert)),
})

/** A folder with the two files of docs/tls.md, which say to Envoy where its Secret is mounted and never change. */
function secretFiles(mount: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'purser-secrets-'))
  endings.push(() => rmSync(folder, { recursive: true, force: true }))
  const page = readFileSync(join(import.meta.dirname, '../../docs/tls.md'), 'utf8')
  for (const name of ['pair', 'ca']) {
    const text = new RegExp(`# /etc/envoy/${name}.yaml\n([\\s\\S]*?)\`\`\``).exec(page)?.[1]
    if (text === undefined) throw new Error(`docs/tls.md shows no ${name}.yaml`)
    writeFileSync(join(folder, `${name}.yaml`), text.replaceAll('/etc/purser', mount).replaceAll('purser.example', 'localhost'))
  }
  return folder
}

/** Purser's cluster over mutual TLS, on connections so short that handshakes never cease. */
function overTls(config: EnvoyConfig, folder: string): void {
  const purser = config.static_resources.clusters.find(({ name }) => name === 'purser') as unknown as {
    transport_socket: unknown
    typed_extension_protocol_options: Record<string, { common_http_protocol_options?: object }>
    connect_timeout: string
    health_checks?: unknown
    outlier_detection?: unknown
  }
  // One replica on a busy machine: a late handshake or health check would shut it out, and that is not the matter here.
  purser.connect_timeout = '10s'
  delete purser.health_checks
  delete purser.outlier_detection
  const from = (name: string) => ({
    name,
    sds_config: { path_config_source: { path: join(folder, `${name}.yaml`) } },
  })
  purser.transport_socket = {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      sni: 'localhost',
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_certificate_sds_secret_configs: [from('pair')],
        validation_context_sds_secret_config: from('ca'),
      },
    },
  }
  const options = purser.typed_extension_protocol_options['envoy.extensions.upstreams.http.v3.HttpProtocolOptions']
  if (options === undefined) throw new Error('the cluster of Purser has no HTTP options')
  options.common_http_protocol_options = { max_connection_duration: '0.3s' }
  Object.assign(config, { node: { id: 'envoy', cluster: 'llm' } })
}

/** The fingerprint that a new connection with this client certificate is shown; null where it is not let in. */
function shown(port: number, client: Pair): Promise<string | null> {
  return new Promise(resolve => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      ...client,
    })
    socket.once('data', () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? null)
      socket.destroy()
    })
    socket.once('error', () => resolve(null))
    socket.once('close', () => resolve(null))
  })
}

const print = ({ cert }: Pair): string => new X509Certificate(cert).fingerprint256
const HEADERS = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }

describe('mutual TLS', () => {
  it('changes all its certificates under load, and no call fails', async () => {
    const [server, nextServer, client, nextClient] = [pair('server 1'), pair('server 2'), pair('envoy 1'), pair('envoy 2')]
    const side = (shows: Pair, believes: readonly Pair[]) => ({
      'tls.crt': shows.cert,
      'tls.key': shows.key,
      'ca.crt': Buffer.concat(believes.map(({ cert }) => cert)),
    })
    const ours = mountedFor(side(server, [client]))
    const theirs = mountedFor(envoySide(client, [server]))
    const flags = ['cert', 'key', 'client-ca'].flatMap((flag, i) => [
      `--grpc-tls-${flag}`,
      join(ours.path, ['tls.crt', 'tls.key', 'ca.crt'][i] ?? ''),
    ])
    const purser = await startPurser({ policies: policies(), ledger: 'memory:', drainSeconds: 1, flags })
    endings.push(() => purser.child.end('SIGKILL'))
    const envoy = await startEnvoy({
      purserPorts: [purser.grpcPort],
      providerPort: provider.port,
      edit: config => overTls(config, secretFiles(theirs.path)),
    })
    endings.push(() => envoy.stop())
    const before = await provider.billed()

    const agent = manyConnections()
    endings.push(() => agent.destroy())
    const answers: Answer[] = []
    let on = true
    const load = Array.from({ length: 6 }, async (_, index) => {
      while (on)
        answers.push(await call({ port: envoy.port, agent, path: CHAT_PATH, headers: HEADERS, body: chatBody(40, index % 2 === 0) }))
    })
    const served = async (count: number): Promise<void> => {
      const target = answers.length + count
      await until(`${count} more answers`, 30_000, envoy.child, async () => answers.length >= target)
    }
    const loaded = async (swap: () => void): Promise<void> => {
      const updates = (): Promise<number> => envoy.stat('cluster.purser.client_ssl_socket_factory.ssl_context_update_by_sds')
      const earlier = await updates()
      swap()
      await until('Envoy to have read its Secret', 10_000, envoy.child, async () => (await updates()) > earlier)
    }
    const handshakes = (): Promise<number> => envoy.stat('cluster.purser.ssl.handshake')
    await served(20)

    // As with any pair of parties: first both believe the new as well, then both show it, then nobody believes the old.
    ours.swap(side(server, [client, nextClient]))
    await loaded(() => theirs.swap(envoySide(client, [server, nextServer])))
    await until('the new client to be let in', 10_000, purser.child, async () => (await shown(purser.grpcPort, nextClient)) !== null)
    await served(20)
    ours.swap(side(nextServer, [client, nextClient]))
    await loaded(() => theirs.swap(envoySide(nextClient, [server, nextServer])))
    await until('the new certificate', 10_000, purser.child, async () => (await shown(purser.grpcPort, nextClient)) === print(nextServer))
    await served(40)
    ours.swap(side(nextServer, [nextClient]))
    await loaded(() => theirs.swap(envoySide(nextClient, [nextServer])))
    await until('the old client to be shut out', 10_000, purser.child, async () => (await shown(purser.grpcPort, client)) === null)
    const handshakesBefore = await handshakes()
    await until('a handshake between those that are left', 10_000, envoy.child, async () => (await handshakes()) > handshakesBefore)
    await served(40)
    on = false
    await Promise.all(load)

    expect(await shown(purser.grpcPort, nextClient)).toBe(print(nextServer))
    const failed = answers.filter(({ status, end }) => status !== 200 || end !== 'whole')
    const refused = await Promise.all(
      ['fail_verify_error', 'fail_verify_san', 'connection_error'].map(name => envoy.stat(`cluster.purser.ssl.${name}`)),
    )
    console.log(
      `tls: ${answers.length} calls, ${failed.length} of them failed; ${await handshakes()} handshakes, refused by Envoy: ${refused}`,
    )
    expect(failed.map(({ status, end, body }) => ({ status, end, body }))).toEqual([])
    const row = rowOf(await settled(purser, 10_000), 'dollars')
    expect(nano(row.spent)).toBe((await provider.billed()) - before)
  })
})

describe('a Unix socket', () => {
  it('carries calls, and those of a successor after the process was killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'purser-socket-'))
    endings.push(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'purser.sock')
    const setting = { policies: policies(), ledger: 'memory:', drainSeconds: 1, flags: ['--grpc-listen', `unix:${path}`] }
    const first = await startPurser(setting)
    endings.push(() => first.child.end('SIGKILL'))
    const envoy = await startEnvoy({
      purserPorts: [first.grpcPort],
      providerPort: provider.port,
      edit: config => {
        const purser = config.static_resources.clusters.find(({ name }) => name === 'purser')
        const [endpoints] = purser?.load_assignment.endpoints ?? []
        if (endpoints === undefined) throw new Error('the shipped configuration has no cluster of Purser')
        Object.assign(endpoints, { lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] })
      },
    })
    endings.push(() => envoy.stop())
    const chat = (): Promise<Answer> => call({ port: envoy.port, path: CHAT_PATH, headers: HEADERS, body: chatBody(10, false) })
    expect((await chat()).status).toBe(200)
    await first.child.end('SIGKILL')
    expect((await chat()).status).toBe(503)
    const second = await startPurser(setting)
    endings.push(() => second.child.end('SIGTERM'))
    await until('the successor to be called', 10_000, envoy.child, async () => (await chat()).status === 200)
  })
})
