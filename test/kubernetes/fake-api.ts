// An API server that exists to fail: one resource in memory, and every fault that a real server, a network or a proxy can produce at will.
// What a server does when all is well is tested on a real one (test/kube).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { KubeConfig } from '@kubernetes/client-node'
import { onTestFinished } from 'vitest'
import { type Api, connectCluster } from '../../src/kubernetes/api.ts'

export const PATH = '/apis/example.dev/v1/things'

export interface Thing {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
    readonly creationTimestamp: string
  }
  readonly spec: { readonly value: number }
}

interface Entry {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: Thing
}

interface Watcher {
  readonly answer: ServerResponse
  readonly socket: Socket
}

/** What the next request meets instead of an answer. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: 'reset' }
  | { readonly kind: 'silence' }
  | { readonly kind: 'garbage' }

export class FakeApi {
  readonly things: Map<string, Thing> = new Map()
  /** Path and query of every request. */
  readonly asked: string[] = []
  /** Faults of the next requests, the first first; an empty list: all is well. */
  faults: Fault[] = []
  /** The token that is accepted; null: any, and none. */
  token: string | null = null
  pageSize = 0
  /** Called once, when a page with others after it was sent. */
  afterPage: (() => void) | null = null
  /** Every watch is ended as soon as it began. */
  isHasty = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #watchers = new Set<Watcher>()
  #history: Entry[] = []
  #version = 100
  #forgotten = 0
  #uid = 0

  constructor() {
    this.#server = createServer((request, answer) => this.#answer(request, answer))
    this.#server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
  }

  get lists(): number {
    return this.asked.filter(query => !query.includes('watch=1') && !query.includes('continue=')).length
  }
  get watches(): number {
    return this.asked.filter(query => query.includes('watch=1')).length
  }
  get watching(): number {
    return this.#watchers.size
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(port, '127.0.0.1', resolve))
  }

  async close(): Promise<void> {
    this.cut('reset')
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<unknown>(resolve => this.#server.close(resolve))
  }

  put(name: string, value: number): void {
    const before = this.things.get(name)
    const version = ++this.#version
    const uid = before?.metadata.uid ?? `uid-${++this.#uid}`
    const metadata = { name, namespace: 'ns', uid, resourceVersion: String(version), creationTimestamp: '2026-01-01T00:00:00Z' }
    const object: Thing = { metadata, spec: { value } }
    this.things.set(name, object)
    this.#tell({ version, type: before === undefined ? 'ADDED' : 'MODIFIED', object })
  }

  delete(name: string): void {
    const before = this.things.get(name)
    if (before === undefined) return
    this.things.delete(name)
    const version = ++this.#version
    this.#tell({ version, type: 'DELETED', object: { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } } })
  }

  /** Something else changed, of which watches are told nothing. */
  pass(): void {
    this.#version += 1
  }

  /** Everything before now can no longer be watched from. */
  forget(): void {
    this.#history = []
    this.#forgotten = this.#version
  }

  bookmark(): void {
    const object = { kind: 'Thing', metadata: { resourceVersion: String(this.#version) } }
    for (const { answer } of this.#watchers) answer.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
  }

  /** Writes to every watch, as it stands. */
  write(text: string): void {
    for (const { answer } of this.#watchers) answer.write(text)
  }

  /** Ends every watch: as a server does, as a broken proxy does, or as a killed machine does. */
  cut(how: 'end' | 'half-line' | 'reset'): void {
    for (const watcher of [...this.#watchers]) {
      this.#watchers.delete(watcher)
      if (how === 'end') watcher.answer.end()
      else if (how === 'reset') watcher.socket.resetAndDestroy()
      else {
        watcher.answer.write('{"type":"MODIFIED","object":{"metadata":{"na')
        watcher.socket.end()
      }
    }
  }

  /** Watches stay open, and nothing is written to them any more. */
  freeze(): void {
    this.#watchers.clear()
  }

  #tell(entry: Entry): void {
    this.#history.push(entry)
    for (const { answer } of this.#watchers) answer.write(`${JSON.stringify({ type: entry.type, object: entry.object })}\n`)
  }

  #answer(request: IncomingMessage, answer: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://fake')
    this.asked.push(url.search)
    const fault = this.faults.shift()
    if (fault !== undefined) this.#fail(fault, request, answer)
    else if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`) status(answer, 401, 'Unauthorized')
    else if (url.searchParams.get('watch') === '1') this.#watch(Number(url.searchParams.get('resourceVersion')), request, answer)
    else this.#list(url, answer)
  }

  #fail(fault: Fault, request: IncomingMessage, answer: ServerResponse): void {
    if (fault.kind === 'reset') request.socket.resetAndDestroy()
    else if (fault.kind === 'garbage') answer.end('<html>')
    else if (fault.kind === 'status') {
      if (fault.retryAfter !== undefined) answer.setHeader('retry-after', fault.retryAfter)
      status(answer, fault.status, 'as asked')
    }
  }

  /** A token is the version of the list and how many were sent; it expires when history is forgotten. */
  #list(url: URL, answer: ServerResponse): void {
    const token = url.searchParams.get('continue')
    const [version = this.#version, sent = 0] = token === null ? [] : token.split('-').map(Number)
    if (token !== null && version < this.#forgotten) {
      status(answer, 410, 'The provided continue parameter is too old')
      return
    }
    const limit = this.pageSize > 0 && url.searchParams.has('limit') ? this.pageSize : Number.POSITIVE_INFINITY
    const all = this.#asOf(version)
    const items = all.slice(sent, sent + limit)
    const next = sent + items.length < all.length ? `${version}-${sent + items.length}` : ''
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify({ kind: 'ThingList', metadata: { resourceVersion: String(version), continue: next }, items }))
    if (next === '') return
    this.afterPage?.()
    this.afterPage = null
  }

  #asOf(version: number): readonly Thing[] {
    const then = new Map(this.things)
    for (const entry of this.#history.filter(one => one.version > version).reverse()) {
      const { name } = entry.object.metadata
      const before = this.#history.findLast(one => one.version < entry.version && one.object.metadata.name === name)
      if (before === undefined || before.type === 'DELETED') then.delete(name)
      else then.set(name, before.object)
    }
    return [...then.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  #watch(from: number, request: IncomingMessage, answer: ServerResponse): void {
    answer.writeHead(200, { 'content-type': 'application/json' })
    if (from < this.#forgotten) {
      answer.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } })}\n`)
      return
    }
    if (this.isHasty) {
      answer.end()
      return
    }
    const watcher = { answer, socket: request.socket }
    this.#watchers.add(watcher)
    request.socket.on('close', () => this.#watchers.delete(watcher))
    answer.flushHeaders()
    for (const { type, object, version } of this.#history) if (version > from) answer.write(`${JSON.stringify({ type, object })}\n`)
  }
}

function status(answer: ServerResponse, code: number, message: string): void {
  answer.writeHead(code, { 'content-type': 'application/json' })
  answer.end(JSON.stringify({ kind: 'Status', code, message }))
}

/** A fake server that listens, until the test has finished. */
export async function startFakeApi(): Promise<FakeApi> {
  const fake = new FakeApi()
  await fake.listen()
  onTestFinished(() => fake.close())
  return fake
}

/** The API at `port`, with the token that `token` says whenever it is asked. */
export function apiOf(port: number, token: () => string = () => 'token'): Api {
  const api = connectCluster(() => {
    const config = new KubeConfig()
    config.loadFromClusterAndUser(
      { name: 'fake', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
      { name: 'somebody', token: token() },
    )
    return config
  })
  onTestFinished(() => api.close())
  return api
}
