// The shipped configuration where something above the last door is wrong, and where Envoy holds the providers' keys.
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call } from './call.ts'
import { answerAsChat, type Capture, type Captured, startCapture } from './capture.ts'
import { connectionManager, type Envoy, type EnvoyConfig, startEnvoy } from './envoy.ts'
import { accessKey, budgetPolicy, KEY, policyFolder } from './policies.ts'
import { CHAT_PATH, chatBody } from './provider.ts'
import { type Purser, startPurser } from './purser.ts'
import { until } from './until.ts'

const EXT_PROC = 'envoy.filters.http.ext_proc'
const RBAC = 'envoy.filters.http.rbac'
const endings: (() => unknown)[] = []
let capture: Capture

const answer = (request: Captured, response: Parameters<typeof answerAsChat>[1]): void => {
  if (request.method === 'POST') answerAsChat(request, response)
  else response.writeHead(200, { 'content-type': 'application/json' }).end('{"object":"list","data":[]}')
}

beforeAll(async () => {
  capture = await startCapture(answer)
  return () => capture.stop()
})

afterEach(async () => {
  for (const ending of endings.splice(0).reverse()) await ending()
})

async function purser(flags: readonly string[] = []): Promise<Purser> {
  const policies = policyFolder([
    budgetPolicy('dollar', { limits: [{ name: 'all', unit: 'USD', amount: '1', window: { lifetime: {} } }] }),
    accessKey([]),
  ])
  endings.push(() => policies.remove())
  const started = await startPurser({ policies: policies.path, ledger: 'memory:', drainSeconds: 1, flags })
  endings.push(() => started.child.end('SIGKILL'))
  return started
}

async function envoy(purserPorts: readonly number[], edit: (config: EnvoyConfig) => void, keys?: string): Promise<Envoy> {
  const setting = { purserPorts, providerPort: capture.port, edit }
  const started = await startEnvoy(keys === undefined ? setting : { ...setting, keys })
  endings.push(() => started.stop())
  return started
}

const filterOf = (config: EnvoyConfig, name: string): Record<string, unknown> => {
  const found = connectionManager(config).http_filters.find(filter => filter.name === name)
  if (found === undefined) throw new Error(`the shipped configuration has no ${name}`)
  return found.typed_config
}

const withoutDoor = (config: EnvoyConfig): void => {
  const manager = connectionManager(config)
  manager.http_filters = manager.http_filters.filter(filter => filter.name !== RBAC)
}

const chat = (port: number, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  call({
    port,
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body: chatBody(10, false),
  })

/** What can go wrong above the door; each lets calls through that nobody judged, if the door is taken out. */
const WRONG: readonly (readonly [string, (config: EnvoyConfig) => void])[] = [
  [
    'a filter that fails open, with Purser at a wrong address',
    config => {
      Object.assign(filterOf(config, EXT_PROC), { failure_mode_allow: true })
      const service = filterOf(config, EXT_PROC)['grpc_service'] as { envoy_grpc: { cluster_name: string } }
      service.envoy_grpc.cluster_name = 'nobody'
    },
  ],
  [
    'a route without the filter',
    config => {
      for (const host of connectionManager(config).route_config.virtual_hosts) {
        for (const route of host.routes) {
          const off = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute', disabled: true }
          route.typed_per_filter_config = { [EXT_PROC]: off }
        }
      }
    },
  ],
  ['an observing filter', config => void Object.assign(filterOf(config, EXT_PROC), { observability_mode: true, processing_mode: {} })],
]

describe('the last door', () => {
  it.each(WRONG)('closes what %s would open', async (_, break_) => {
    const { grpcPort } = await purser()
    const seen = (): number => capture.requests.length
    const before = seen()
    const shut = await envoy([grpcPort], break_)
    expect((await chat(shut.port)).status).toBe(403)
    expect(seen()).toBe(before)
    const open = await envoy([grpcPort], config => {
      break_(config)
      withoutDoor(config)
    })
    expect((await chat(open.port)).status).toBe(200)
    expect(seen()).toBe(before + 1)
  })

  it('shuts out what Purser could not mark, rather than let it pass unproved', async () => {
    const { grpcPort } = await purser()
    const { port } = await envoy([grpcPort], config => void Object.assign(filterOf(config, EXT_PROC), { metadata_options: {} }))
    expect((await chat(port)).status).toBe(403)
  })

  it('lets through what was admitted, and what Purser does not meter', async () => {
    const { grpcPort } = await purser()
    const { port } = await envoy([grpcPort], () => {})
    expect((await chat(port)).status).toBe(200)
    expect((await call({ port, method: 'GET', path: '/v1/models', headers: { authorization: `Bearer ${KEY}` } })).status).toBe(200)
  })
})

describe("with the providers' keys in Envoy", () => {
  const SECRETS = { openai: 'sk-secret-of-openai', anthropic: 'sk-secret-of-anthropic' }

  function keyFolder(secrets: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(join(tmpdir(), 'purser-keys-'))
    endings.push(() => rmSync(folder, { recursive: true, force: true }))
    for (const [name, secret] of Object.entries(secrets)) writeKey(folder, name, secret)
    return folder
  }

  function writeKey(folder: string, name: string, secret: string): void {
    const resource = `{ "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret, name: ${name}-key, generic_secret: { secret: { inline_string: ${secret} } } }`
    writeFileSync(join(folder, `${name}.new`), `resources: [${resource}]\n`)
    renameSync(join(folder, `${name}.new`), join(folder, `${name}-key.yaml`))
  }

  it("takes Purser's key in, sends the provider's out, and tells neither to anybody", async () => {
    const judge = await purser(['--require-key', '--log-level', 'trace'])
    const log = join(keyFolder({}), 'access.log')
    const gateway = await envoy(
      [judge.grpcPort],
      config => {
        const json_format = { code: '%RESPONSE_CODE%', details: '%RESPONSE_CODE_DETAILS%', said: '%DYNAMIC_METADATA(purser)%' }
        const typed_config = {
          '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
          path: log,
          log_format: { json_format },
        }
        connectionManager(config).access_log = [{ name: 'envoy.access_loggers.file', typed_config }]
      },
      keyFolder(SECRETS),
    )
    const before = capture.requests.length
    expect((await chat(gateway.port)).status).toBe(200)
    const anthropic = { port: gateway.port, path: '/v1/messages', headers: { 'content-type': 'application/json', 'x-api-key': KEY } }
    await call({ ...anthropic, body: '{"model":"claude-sonnet-4-5","max_tokens":5,"messages":[{"role":"user","content":"Hello"}]}' })
    const [openai, messages, ...more] = capture.requests.slice(before)
    expect(more).toEqual([])
    expect(openai?.headers.authorization).toBe(`Bearer ${SECRETS.openai}`)
    expect(messages?.headers['x-api-key']).toBe(SECRETS.anthropic)
    expect(messages?.headers.authorization).toBeUndefined()
    expect(JSON.stringify(capture.requests.slice(before).map(({ headers, body }) => [headers, body.toString()]))).not.toContain(KEY)

    // A client's own key is replaced, and a client without one of Purser's gets nothing.
    expect((await chat(gateway.port, { 'x-api-key': 'sk-of-the-client' })).status).toBe(200)
    expect((await chat(gateway.port, { authorization: 'Bearer sk-of-the-client' })).status).toBe(401)

    const dump = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/config_dump`)).text()
    expect(dump).toContain('openai-key')
    await gateway.stop()
    const told = [...gateway.child.lines, ...judge.child.lines, readFileSync(log, 'utf8'), dump].join('\n')
    expect(told).toContain('admitted')
    for (const secret of [...Object.values(SECRETS), KEY, 'sk-of-the-client']) expect(told).not.toContain(secret)
  })

  it('sends a new key as soon as its file is in place', async () => {
    const judge = await purser()
    const folder = keyFolder(SECRETS)
    const { port, child } = await envoy([judge.grpcPort], () => {}, folder)
    expect((await chat(port)).status).toBe(200)
    expect(capture.requests.at(-1)?.headers.authorization).toBe(`Bearer ${SECRETS.openai}`)
    writeKey(folder, 'openai', 'sk-another')
    await until('the new key', 10_000, child, async () => {
      await chat(port)
      return capture.requests.at(-1)?.headers.authorization === 'Bearer sk-another'
    })
  })

  it('answers 401 without asking the provider where the key is not there', async () => {
    const judge = await purser()
    const gateway = await envoy([judge.grpcPort], () => {}, keyFolder({ openai: '""', anthropic: '""' }))
    const before = capture.requests.length
    expect((await chat(gateway.port)).status).toBe(401)
    expect(capture.requests.length).toBe(before)
  })
})
