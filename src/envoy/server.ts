// The gRPC server: ext_proc, ext_authz, the access log, health and reflection on one port, with or without TLS. It opens, drains and stops;
// what comes is for `ext-proc.ts`, `ext-authz.ts` and `access-log.ts`.
import { Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { ReflectionService } from '@grpc/reflection'
import { HealthImplementation, protoPath as healthProto } from 'grpc-health-check'
import type { ExchangeFactory } from '../enforcer/exchange.ts'
import { GRPC_KEEPALIVE_MS, GRPC_KEEPALIVE_TIMEOUT_MS, GRPC_MESSAGE_BYTES_MAX } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { accessLogService, type LogCall, LogStream } from './access-log.ts'
import { type DoorTls, WatchedCertificates } from './certificates.ts'
import type { Call, Doorway } from './doorway.ts'
import { authorizationService, Check, type CheckCall, type CheckResponse } from './ext-authz.ts'
import { ExchangeStream } from './ext-proc.ts'
import { LoopLag } from './loop-lag.ts'
import { ACCESS_LOG, AUTHORIZATION, loadProtos, processorService, SERVICE_NAME } from './protos.ts'
import { continueReplies } from './reply.ts'
import { cureStreamResets, proveStreamResets } from './reset-cure.ts'
import { clearSocket, openToGroup, socketPath } from './socket-file.ts'
import { VerdictQueue } from './verdict-queue.ts'
import { Complaints, type DoorLog } from './wiring.ts'

export interface DoorOptions {
  /** `host:port`, port 0 for any free one; or `unix:/path`. */
  readonly listen: string
  readonly tls: DoorTls | null
  readonly clock: Clock
  readonly log: DoorLog
}

const SERVICES = [SERVICE_NAME, AUTHORIZATION, ACCESS_LOG]
/** Health is asked for the whole server, and for each service by name. */
const HEALTH_NAMES = ['', ...SERVICES]

/**
 * Opens the door: proves the stream-reset cure, binds, and serves. It is NOT_SERVING until {@link Door.serve} is called.
 * @throws with a sentence that names the port or the file that is wrong.
 */
export async function openDoor(factory: ExchangeFactory, options: DoorOptions): Promise<Door> {
  cureStreamResets()
  await proveStreamResets()
  const door = new Door(factory, options)
  await door.bind(options)
  return door
}

export class Door {
  readonly #server: Server
  readonly #health = new HealthImplementation()
  readonly #doorway: Doorway
  #onEmpty: (() => void)[] = []
  #certificates: WatchedCertificates | null = null
  #port = 0

  constructor(factory: ExchangeFactory, { clock, log }: DoorOptions) {
    this.#server = new Server({
      'grpc.max_receive_message_length': GRPC_MESSAGE_BYTES_MAX,
      'grpc.max_send_message_length': GRPC_MESSAGE_BYTES_MAX,
      // A gateway that vanished without a word is noticed, and its exchanges are settled.
      'grpc.keepalive_time_ms': GRPC_KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': GRPC_KEEPALIVE_TIMEOUT_MS,
      'grpc.enable_channelz': 0,
    })
    this.#doorway = {
      factory,
      lag: new LoopLag(clock),
      verdicts: new VerdictQueue(clock),
      complaints: new Complaints(log, clock),
      goOn: continueReplies(),
      streams: new Set(),
      logs: new Set(),
      emptied: () => this.#emptied(),
    }
    this.#server.addService(processorService(), { Process: (call: Call) => void new ExchangeStream(call, this.#doorway) })
    this.#server.addService(authorizationService(), {
      Check: (call: CheckCall, answer: sendUnaryData<CheckResponse>) => void new Check(call, answer, this.#doorway),
    })
    this.#server.addService(accessLogService(), {
      StreamAccessLogs: (call: LogCall, answer: sendUnaryData<object>) => void new LogStream(call, answer, this.#doorway),
    })
    this.#setHealth('NOT_SERVING')
    this.#health.addToServer(this.#server)
    const health = loadSync(healthProto, { longs: String, enums: String })
    new ReflectionService({ ...loadProtos(), ...health }, { services: [...SERVICES, 'grpc.health.v1.Health'] }).addToServer(this.#server)
  }

  /** The port that is bound; meaningless for a socket. */
  get port(): number {
    return this.#port
  }

  /** Exchanges that are open now. */
  get open(): number {
    return this.#doorway.streams.size
  }

  /** Tells health checks that calls are welcome. */
  serve(): void {
    this.#setHealth('SERVING')
  }

  async bind({ listen, tls }: DoorOptions): Promise<void> {
    this.#certificates = tls === null ? null : new WatchedCertificates(tls, this.#doorway.complaints)
    const path = socketPath(listen)
    try {
      if (path !== null) await clearSocket(path)
      this.#port = await new Promise((resolve, reject) => {
        const credentials = this.#certificates ?? ServerCredentials.createInsecure()
        this.#server.bindAsync(listen, credentials, (fault, port) => (fault === null ? resolve(port) : reject(fault)))
      })
      if (path !== null) await openToGroup(path)
    } catch (fault) {
      this.stop()
      throw new Error(`cannot listen on '${listen}' for gRPC: ${fault instanceof Error ? fault.message : fault}`)
    }
  }

  /** NOT_SERVING and GOAWAY at once, no new exchanges; open ones go on. Resolves when the last of them is over. */
  drain(): Promise<void> {
    this.#setHealth('NOT_SERVING')
    // Its callback would wait for health watchers too; what counts here are the exchanges.
    this.#server.tryShutdown(() => {})
    return this.#empty()
  }

  /** The drain time is over: every open exchange settles what it knows, and leaves where no client is harmed. */
  settleOpen(): void {
    for (const stream of [...this.#doorway.streams]) stream.drain()
  }

  /** Breaks off what is left. After this no exchange is open and nothing listens; connections go when their last stream has. */
  stop(): void {
    this.#doorway.lag.stop()
    this.#certificates?.stop()
    for (const stream of [...this.#doorway.streams]) stream.abandon()
    for (const log of [...this.#doorway.logs]) log.end()
    this.#server.tryShutdown(() => {})
  }

  #setHealth(status: 'SERVING' | 'NOT_SERVING'): void {
    for (const name of HEALTH_NAMES) this.#health.setStatus(name, status)
  }

  #empty(): Promise<void> {
    if (this.open === 0) return Promise.resolve()
    return new Promise(resolve => this.#onEmpty.push(resolve))
  }

  #emptied(): void {
    const waiting = this.#onEmpty
    this.#onEmpty = []
    for (const resolve of waiting) resolve()
  }
}
