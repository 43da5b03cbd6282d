// Where drills run: one replica on a Redis behind a relay, a provider and an odd one, and an Envoy before them; each drill leaves it whole.
import { type ClientHttp2Session, connect } from 'node:http2'
import { type Answer, type CallSetting, call } from '../e2e/call.ts'
import { type Envoy, type EnvoySetting, startEnvoy } from '../e2e/envoy.ts'
import { accessKey, budgetPolicy, KEY } from '../e2e/policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from '../e2e/provider.ts'
import { type Purser, type PurserSetting, startPurser } from '../e2e/purser.ts'
import { until } from '../e2e/until.ts'
import { startWorld, type World } from '../e2e/world.ts'
import { Relay } from '../redis/relay.ts'
import type { RedisServer } from '../redis/server.ts'
import { forDrills, type Upstreams } from './routes.ts'
import { startUpstream, type Upstream } from './upstream.ts'

/** Far beyond every timeout that is configured: whoever waits for so long hangs. */
export const HANGS_MS = 30_000

export interface Ask extends Partial<CallSetting> {
  readonly stream?: boolean
  /** Of its own, for drills that need an Envoy of their own. */
  readonly port?: number
}

export class Stage {
  readonly world: World
  readonly provider: TestProvider
  readonly upstream: Upstream
  readonly relay: Relay
  readonly redis: RedisServer
  readonly #upstreams: Upstreams
  #purser: Purser
  readonly #attempts = new Map<string, number>()
  /** When it last went wrong, or a call began; and when one ended. */
  #since = 0
  #until = 0

  private constructor(parts: Pick<Stage, 'world' | 'provider' | 'upstream' | 'relay' | 'redis'>, upstreams: Upstreams) {
    this.world = parts.world
    this.provider = parts.provider
    this.upstream = parts.upstream
    this.relay = parts.relay
    this.redis = parts.redis
    this.#upstreams = upstreams
    this.#purser = parts.world.purser
  }

  static async set(): Promise<Stage> {
    const provider = await startTestProvider({ outputTokens: 50 })
    const upstream = await startUpstream()
    const upstreams = { odd: upstream.port, nobody: 1 }
    const relays: Relay[] = []
    const world = await startWorld({
      ledger: 'redis',
      replicas: 1,
      objects: [
        budgetPolicy('drills', {
          limits: [{ name: 'all', unit: 'USD', amount: '100000', window: { lifetime: {} }, partitionBy: [{ header: 'x-drill' }] }],
        }),
        accessKey([]),
      ],
      providerPort: provider.port,
      purser: { flags: ['--trusted-headers', 'x-drill'] },
      redisArgs: ['--appendonly', 'yes', '--appendfsync', 'always'],
      redisUrl: async server => {
        const relay = await Relay.start(server.port)
        relays.push(relay)
        return relay.url
      },
      envoy: { edit: config => forDrills(config, upstreams) },
    })
    const [relay] = relays
    if (world.redis === null || relay === undefined) throw new Error('the stage stands on a Redis')
    return new Stage({ world, provider, upstream, relay, redis: world.redis }, upstreams)
  }

  get envoy(): Envoy {
    return this.world.envoy
  }

  /** The replica that lives now. */
  get purser(): Purser {
    return this.#purser
  }

  /** Begins a drill, perhaps again: each attempt has a budget and a bill of its own. */
  begin(drill: string): void {
    this.#attempts.set(drill, (this.#attempts.get(drill) ?? 0) + 1)
  }

  /** The name of its last attempt in the ledger and on the bill. */
  tagOf(drill: string): string {
    return `${drill}.${this.#attempts.get(drill) ?? 0}`
  }

  headersOf(drill: string): Record<string, string> {
    const tag = this.tagOf(drill)
    return { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, 'x-drill': tag, 'x-fake-tag': tag }
  }

  /** A chat call in the name of a drill. */
  async ask(drill: string, { stream = false, headers = {}, ...setting }: Ask = {}): Promise<Answer> {
    this.#since = performance.now()
    const answer = await call({
      port: this.envoy.port,
      path: CHAT_PATH,
      ...(setting.send === undefined ? { body: chatBody(1_000, stream) } : {}),
      timeoutMs: HANGS_MS,
      ...setting,
      headers: { ...this.headersOf(drill), ...headers },
    })
    this.#until = performance.now()
    return answer
  }

  /** How long the last call that ended waited since it began, or since Purser or Redis went away in it, ms. */
  get waitedMs(): number {
    return this.#until - this.#since
  }

  /** A stream of `seconds` in the name of a drill; `begun` resolves when some of it has come. */
  stream(drill: string, seconds: number, ask: Ask = {}): { readonly answer: Promise<Answer>; readonly begun: Promise<void> } {
    const begun = Promise.withResolvers<void>()
    const answer = this.ask(drill, {
      stream: true,
      ...ask,
      headers: { 'x-fake-tokens': String(seconds * 50), 'x-fake-chunk-delay-ms': '20', ...ask.headers },
      abortWhen: body => {
        if (body.length > 1_000) begun.resolve()
        return ask.abortWhen?.(body) ?? false
      },
    })
    void answer.then(({ status, end }) => begun.reject(new Error(`the stream was over before it had begun: ${status}, ${end}`)))
    begun.promise.catch(() => {})
    return { answer, begun: begun.promise }
  }

  /** Resolves when a call is at the provider, and not answered. */
  async atProvider(): Promise<void> {
    await until('the call to be at the provider', 20_000, null, async () => (await this.provider.open()) > 0)
  }

  /** Counts messages that Envoy sends to Purser from now on: the answer resolves when so many have been sent. */
  async toPurser(count: number): Promise<() => Promise<void>> {
    const name = 'http.llm.ext_proc.purser.stream_msgs_sent'
    const before = await this.envoy.stat(name)
    return async () => await until(`${count} messages to Purser`, 20_000, null, async () => (await this.envoy.stat(name)) >= before + count)
  }

  async kill(): Promise<void> {
    this.#since = performance.now()
    process.kill(this.#purser.child.pid, 'SIGCONT')
    await this.#purser.child.end('SIGKILL')
  }

  freeze(): void {
    this.#since = performance.now()
    process.kill(this.#purser.child.pid, 'SIGSTOP')
  }

  /** Everything works again: the replica that was killed has a successor, whoever was stopped goes on, Envoy has found out. */
  async mend(): Promise<void> {
    this.redis.thaw()
    if (!this.redis.isUp) await this.redis.up()
    if (await isRunning(this.#purser)) process.kill(this.#purser.child.pid, 'SIGCONT')
    else this.#purser = await this.replica({ grpcPort: this.#purser.grpcPort })
    await this.envoy.healthy('purser', 1)
    await until('calls to be admitted', 30_000, this.#purser.child, async () => (await this.ask('between-drills')).status === 200)
    await until('the provider to be idle', 30_000, null, async () => (await this.provider.open()) === 0)
  }

  /** One more on the same ledger; whoever starts it ends it. */
  async replica(setting: Partial<PurserSetting> = {}): Promise<Purser> {
    const flags = ['--trusted-headers', 'x-drill']
    return await startPurser({ policies: this.world.policies.path, ledger: this.relay.url, drainSeconds: 1, flags, ...setting })
  }

  /** One more Envoy on the same upstreams; whoever starts it stops it. */
  async gateway(purserPorts: readonly number[], more: Partial<EnvoySetting> = {}): Promise<Envoy> {
    return await startEnvoy({
      purserPorts,
      providerPort: this.provider.port,
      ...more,
      edit: config => {
        forDrills(config, this.#upstreams)
        more.edit?.(config)
      },
    })
  }

  async http2(): Promise<ClientHttp2Session> {
    const session = connect(`http://127.0.0.1:${this.envoy.port}`)
    session.on('error', () => {})
    await new Promise<void>((resolve, reject) => {
      session.once('connect', () => resolve())
      session.once('error', reject)
    })
    return session
  }

  async strike(): Promise<void> {
    if (this.#purser !== this.world.purser) await this.#purser.child.end('SIGKILL')
    await this.world.stop()
    await this.relay.stop()
    await this.upstream.stop()
    await this.provider.stop()
  }
}

async function isRunning({ child }: Purser): Promise<boolean> {
  return await Promise.race([child.exited.then(() => false), new Promise<boolean>(resolve => setImmediate(() => resolve(true)))])
}
