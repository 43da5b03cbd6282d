// Drills: replicas that cannot be reached, that leave, or that Envoy was told wrongly about; and Envoy itself leaving.
import { expect } from 'vitest'
import { type Answer, manyConnections } from '../e2e/call.ts'
import { connectionManager, type Envoy, type EnvoyConfig } from '../e2e/envoy.ts'
import { CHAT_PATH, chatBody } from '../e2e/provider.ts'
import { until } from '../e2e/until.ts'
import { AT_ONCE, type Chapter, type Drill, seenBy } from './drill.ts'
import type { Stage } from './stage.ts'

const whole = { status: 200, end: 'whole', by: 'provider' } as const
const STREAMS = 20
const BATCH = 100

/** Runs on an Envoy of its own, which is gone afterwards. */
async function behind(envoy: Promise<Envoy>, run: (envoy: Envoy) => Promise<Answer>): Promise<Answer> {
  const started = await envoy
  try {
    return await run(started)
  } finally {
    await started.stop()
  }
}

function extProc(config: EnvoyConfig): Record<string, unknown> {
  const found = connectionManager(config).http_filters.find(filter => filter.name === 'envoy.filters.http.ext_proc')
  if (found === undefined) throw new Error('the shipped configuration has ext_proc')
  return found.typed_config
}

const wrongCluster = (config: EnvoyConfig): void => {
  const service = extProc(config)['grpc_service'] as { envoy_grpc: { cluster_name: string } }
  service.envoy_grpc.cluster_name = 'purser-of-yesteryear'
}

async function oneOfTwoDies(stage: Stage): Promise<Answer> {
  const drill = 'one-of-two'
  const second = await stage.replica()
  const ports = [stage.purser.grpcPort, second.grpcPort]
  return await behind(stage.gateway(ports), async envoy => {
    const agent = manyConnections()
    const before = await stage.purser.openByHolder()
    const streams = Array.from({ length: STREAMS }, () => stage.stream(drill, 4, { port: envoy.port, agent }))
    await Promise.all(streams.map(({ begun }) => begun))
    // Others may have died just before, and be swept later.
    const own = [...(await stage.purser.openByHolder())].flatMap(([holder, open]) => (before.has(holder) ? [] : [open]))
    expect(own.reduce((sum, open) => sum + open, 0)).toBe(STREAMS)
    await second.child.end('SIGKILL')
    // Calls that come now are asked of the other replica.
    const next = await stage.ask(drill, { port: envoy.port, agent })
    const answers = await Promise.all(streams.map(({ answer }) => answer))
    agent.destroy()
    const cut = answers.filter(({ end }) => end === 'cut').length
    expect(own, 'only the streams of the dead replica were cut').toContain(cut)
    expect(answers.filter(answer => answer.end === 'whole' && answer.status === 200).length).toBe(STREAMS - cut)
    return next
  })
}

async function leaves(stage: Stage): Promise<Answer> {
  const drill = 'goaway'
  const second = await stage.replica({ drainSeconds: 20 })
  return await behind(stage.gateway([second.grpcPort]), async envoy => {
    const { answer, begun } = stage.stream(drill, 2, { port: envoy.port })
    await begun
    const ended = second.child.end('SIGTERM')
    const seen = await answer
    expect(await ended).toBe(0)
    return seen
  })
}

const drills: readonly Drill[] = [
  {
    id: 'refuses-connections',
    what: 'No replica listens',
    sees: { status: 503, end: 'whole', by: 'Envoy' },
    within: AT_ONCE,
    charged: 'nothing',
    run: async stage => {
      await stage.kill()
      return await stage.ask('refuses-connections')
    },
  },
  {
    id: 'one-of-two',
    what: 'One of two replicas is killed with streams on both: a call that comes next',
    sees: whole,
    within: null,
    charged: 'more',
    note: 'streams on the dead replica are cut, those on the other one are whole',
    run: oneOfTwoDies,
  },
  {
    id: 'goaway',
    what: 'A replica is asked to leave (SIGTERM: GOAWAY) in the middle of a stream',
    sees: whole,
    within: null,
    charged: 'exact',
    run: leaves,
  },
  {
    id: 'wrong-cluster',
    what: 'The filter names a cluster that does not exist',
    sees: { status: 503, end: 'whole', by: 'Envoy' },
    within: AT_ONCE,
    charged: 'nothing',
    run: async stage =>
      await behind(stage.gateway([stage.purser.grpcPort], { edit: wrongCluster }), async envoy =>
        stage.ask('wrong-cluster', { port: envoy.port }),
      ),
  },
  {
    id: 'fails-open',
    what: 'The filter was set to fail open, and no replica listens',
    sees: { status: 403, end: 'whole', by: 'Envoy' },
    within: AT_ONCE,
    charged: 'nothing',
    note: 'the last door in the shipped configuration',
    run: async stage => {
      const edit = (config: EnvoyConfig): void => {
        wrongCluster(config)
        Object.assign(extProc(config), { failure_mode_allow: true })
      }
      return await behind(stage.gateway([stage.purser.grpcPort], { edit }), async envoy => stage.ask('fails-open', { port: envoy.port }))
    },
  },
  {
    id: 'envoy-drains',
    what: 'Envoy is drained in the middle of a stream',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage =>
      await behind(stage.gateway([stage.purser.grpcPort]), async envoy => {
        const { answer, begun } = stage.stream('envoy-drains', 2, { port: envoy.port })
        await begun
        await fetch(`http://127.0.0.1:${envoy.adminPort}/drain_listeners?graceful`, { method: 'POST' })
        return await answer
      }),
  },
  {
    id: 'envoy-dies',
    what: 'Envoy is killed in the middle of a stream',
    sees: { status: 200, end: 'cut', by: 'provider' },
    within: AT_ONCE,
    charged: 'unproven',
    run: async stage =>
      await behind(stage.gateway([stage.purser.grpcPort]), async envoy => {
        const { answer, begun } = stage.stream('envoy-dies', 10, { port: envoy.port })
        await begun
        await envoy.child.end('SIGKILL')
        return await answer
      }),
  },
  {
    id: 'resets',
    what: 'Hundreds of calls a second are left by HTTP/2 clients: a stream that runs meanwhile',
    sees: whole,
    within: null,
    charged: 'mixed',
    note: 'Node as it comes would close the connection, and cut every stream on it, after 1,000 resets',
    run: async stage => {
      const { answer, begun } = stage.stream('resets', 5)
      await begun
      await reset(stage, 1_500)
      const seen = await answer
      await until('what was reset to be closed', 20_000, stage.purser.child, async () => (await stage.purser.openReservations()) === 0)
      expect(seenBy(await stage.ask('resets'))).toEqual(whole)
      return seen
    },
  },
]

/** Opens and resets so many calls, each once it is on its way; on several connections, for Envoy closes one after 250 early resets. */
async function reset(stage: Stage, count: number): Promise<void> {
  const name = 'http.llm.ext_proc.purser.streams_started'
  const before = await stage.envoy.stat(name)
  for (let sent = 0; sent < count; sent += BATCH) {
    const session = await stage.http2()
    for (let n = 0; n < BATCH; n++) {
      const head = { ':method': 'POST', ':path': CHAT_PATH, ...stage.headersOf('resets'), 'x-fake-delay-ms': '300' }
      session
        .request(head)
        .on('error', () => {})
        .end(chatBody(1_000, false))
    }
    await until('the calls to be on their way', 20_000, null, async () => (await stage.envoy.stat(name)) >= before + sent + BATCH)
    session.destroy(undefined, 8)
  }
}

export const REPLICAS: Chapter = { title: 'Replicas, and Envoy itself', drills }
