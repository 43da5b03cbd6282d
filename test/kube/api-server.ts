// A real etcd and kube-apiserver on free ports and in a folder of their own: RBAC on, service account tokens, the chart's CRDs in force.
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, freePort, startChild } from '../e2e/child.ts'
import { until } from '../e2e/until.ts'
import { type Answer, type Client, createClient } from './client.ts'
import { kubeTools } from './tools.ts'

export const CRDS: string = join(import.meta.dirname, '../../charts/purser/crds')

export interface ApiServer {
  readonly url: string
  /** PEM file that the server's certificate can be verified with. */
  readonly caFile: string
  /** The administrator's bearer token. */
  readonly token: string
  /** A kubeconfig of the administrator. */
  readonly kubeconfig: string
  /** Everything of this server lies here; removed by {@link ApiServer.stop}. */
  readonly folder: string
  /** The administrator. */
  readonly admin: Client
  /** kill -9 of kube-apiserver; etcd stays. */
  kill(): Promise<void>
  /** Starts kube-apiserver (again) at the same address; resolves when it is ready. */
  start(): Promise<void>
  /** Throws away every earlier revision, as a cluster does every five minutes. */
  compact(): Promise<void>
  /** Writes objects of CRDs to etcd as they stand, as if each had been created; many more a second than the API takes. */
  seed(objects: readonly SeededObject[]): Promise<void>
  stop(): Promise<void>
}

export interface SeededObject {
  /** Default: that of our own kinds. */
  readonly apiVersion?: string
  /** The plural of its kind. */
  readonly resource: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly spec: object
  readonly status?: object
}

/** Starts both and resolves when the API server is ready and knows the chart's kinds. */
export async function startApiServer(): Promise<ApiServer> {
  const [apiserver = '', etcd = ''] = kubeTools('kube-apiserver', 'etcd')
  const folder = mkdtempSync(join(tmpdir(), 'purser-kube-'))
  const server = new RealServer(folder, apiserver, await startEtcd(etcd, folder), await freePort())
  try {
    await server.start()
    await server.applyCrds()
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

interface Etcd {
  readonly child: Child
  readonly url: string
}

async function startEtcd(binary: string, folder: string): Promise<Etcd> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
  const flags = {
    name: 'e0',
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `e0=${peer}`,
    'log-level': 'warn',
  }
  // Nothing of it outlives the test, so nothing needs to reach the disk.
  const child = startChild('etcd', binary, ['--unsafe-no-fsync', ...asFlags(flags)])
  try {
    await until('etcd to be healthy', 30_000, child, async () => (await fetch(`${client}/health`)).ok)
  } catch (error) {
    await child.end('SIGKILL')
    throw error
  }
  return { child, url: client }
}

class RealServer implements ApiServer {
  readonly url: string
  readonly caFile: string
  readonly kubeconfig: string
  readonly folder: string
  readonly token: string = randomBytes(16).toString('hex')
  readonly #binary: string
  readonly #etcd: Etcd
  readonly #port: number
  #child: Child | null = null
  #admin: Client | null = null

  constructor(folder: string, binary: string, etcd: Etcd, port: number) {
    this.folder = folder
    this.#binary = binary
    this.#etcd = etcd
    this.#port = port
    this.url = `https://127.0.0.1:${port}`
    this.caFile = join(folder, 'apiserver.crt')
    this.kubeconfig = join(folder, 'kubeconfig')
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    writeFileSync(join(folder, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }))
    writeFileSync(join(folder, 'tokens.csv'), `${this.token},admin,admin,system:masters\n`)
    writeFileSync(this.kubeconfig, kubeconfigText(this.url, this.caFile, this.token))
  }

  get admin(): Client {
    if (this.#admin === null) throw new Error('the API server was started')
    return this.#admin
  }

  async start(): Promise<void> {
    const key = join(this.folder, 'sa.key')
    const flags = {
      'etcd-servers': this.#etcd.url,
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': String(this.#port),
      'cert-dir': this.folder,
      'authorization-mode': 'RBAC',
      'token-auth-file': join(this.folder, 'tokens.csv'),
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': key,
      'service-account-signing-key-file': key,
      'service-cluster-ip-range': '10.0.0.0/24',
      'endpoint-reconciler-type': 'none',
    }
    const child = startChild('kube-apiserver', this.#binary, asFlags(flags))
    this.#child = child
    try {
      await until('kube-apiserver to be ready', 60_000, child, async () => {
        // It writes its certificate itself, at its first start.
        this.#admin ??= createClient(this)
        return (await this.#admin.get('/readyz')).status === 200
      })
    } catch (error) {
      await this.kill()
      throw error
    }
  }

  async applyCrds(): Promise<void> {
    kubectl(this, ['apply', '--server-side', '-f', CRDS])
    kubectl(this, ['wait', '--for=condition=Established', '--timeout=30s', '-f', CRDS])
  }

  async kill(): Promise<void> {
    this.#admin?.close()
    await this.#child?.end('SIGKILL')
    this.#child = null
  }

  async compact(): Promise<void> {
    const { header } = await this.#etcdAsks('range', { key: base64('/') })
    await this.#etcdAsks('compaction', { revision: header?.revision, physical: true })
  }

  async seed(objects: readonly SeededObject[]): Promise<void> {
    for (let at = 0; at < objects.length; at += TXN_OPS_MAX) {
      const success = objects.slice(at, at + TXN_OPS_MAX).map(one => ({ requestPut: { key: keyOf(one), value: base64(storedText(one)) } }))
      await this.#etcdAsks('txn', { success })
    }
  }

  async #etcdAsks(path: string, body: object): Promise<{ header?: { revision?: string } }> {
    const answer = await fetch(`${this.#etcd.url}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`etcd ${path}: ${await answer.text()}`)
    return (await answer.json()) as { header?: { revision?: string } }
  }

  async stop(): Promise<void> {
    // On SIGTERM it would wait for open watches, up to a minute.
    await this.kill()
    await this.#etcd.child.end('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Makes a namespace and answers its name. */
export async function makeNamespace(client: Client, name: string, labels: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await client.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
  if (answer.status !== 201) throw new Error(`namespace ${name}: ${messageOf(answer)}`)
  return name
}

/** Runs kubectl as the administrator; throws with its words where it fails. */
export function kubectl({ kubeconfig }: Pick<ApiServer, 'kubeconfig'>, args: readonly string[], input = ''): string {
  const [binary = ''] = kubeTools('kubectl')
  const { status, stdout, stderr } = spawnSync(binary, ['--kubeconfig', kubeconfig, ...args], { encoding: 'utf8', input })
  if (status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}${stdout}`)
  return stdout
}

/** The sentence of an answer that is a Status. */
export const messageOf = ({ body }: Answer): string =>
  typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : JSON.stringify(body)

/** Of etcd, its default. */
const TXN_OPS_MAX = 128

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const keyOf = ({ apiVersion = OURS, resource, namespace, name }: SeededObject): string =>
  base64(`/registry/${apiVersion.split('/')[0]}/${resource}/${namespace === '' ? '' : `${namespace}/`}${name}`)
const storedText = ({ apiVersion = OURS, kind, namespace, name, spec, status }: SeededObject): string => {
  const metadata = { name, namespace, uid: randomUUID(), generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' }
  return JSON.stringify({ apiVersion, kind, metadata, spec, ...(status === undefined ? {} : { status }) })
}
const OURS = 'purser.dev/v1alpha1'

const asFlags = (flags: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(flags).map(([name, value]) => `--${name}=${value}`)

const kubeconfigText = (server: string, ca: string, token: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': ca } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  })
