// What routes must say so that no call passes Purser by, no answer is cut, and nothing is billed twice. Pure.
import { BODY_BYTES_MAX, DEADLINE_MS, GRPC_MESSAGE_BYTES_MAX } from '../limits.ts'
import { IDLE_MS_MIN, lastDoor } from './chain-rules.ts'
import type { Finding } from './finding.ts'
import type { GuardedChain } from './guard.ts'
import { Setting } from './setting.ts'
import { onRoute, type Route } from './setup.ts'

/** Attempts that cannot have reached the provider. */
const SAFE_RETRIES = ['connect-failure', 'refused-stream', 'reset-before-request']
const ENVOY_TIMEOUT_MS = 15_000
const ENVOY_IDLE_MS = 300_000
const ENVOY_BUFFER_BYTES = 1_048_576

export function routeFindings(guarded: GuardedChain): Finding[] {
  const { chain } = guarded
  if (!chain.routesKnown)
    return [
      {
        rule: 'routes-unknown',
        grade: 'note',
        where: `listener ${chain.name}`,
        what: 'its routes are not in what was read',
        why: 'nothing can be said about timeouts, retries and routes that pass Purser by',
        fix: 'ask the running proxy: purser doctor --admin http://127.0.0.1:9901',
      },
    ]
  return chain.routes.flatMap(route => {
    const where = `route ${route.name}`
    return [
      ...passFindings(guarded, route, where),
      ...timeFindings(guarded, route, where),
      ...repeatFindings(route, where),
      ...bufferFindings(guarded, route, where),
    ]
  })
}

function passFindings(guarded: GuardedChain, route: Route, where: string): Finding[] {
  const judged = guarded.guards.some(({ filter, role }) => role !== 'settle' && onRoute(filter, route).on)
  if (judged) {
    const door = lastDoor(guarded)
    if (door === null || onRoute(door, route).on) return []
    return [
      {
        rule: 'door-off',
        grade: 'note',
        where,
        what: 'the last door is off on this route',
        why: 'nothing closes it should the filter be taken away or fail open',
        fix: `remove ${door.name} from typed_per_filter_config`,
      },
    ]
  }
  const door = lastDoor(guarded)
  const shut = door !== null && onRoute(door, route).on
  return [
    {
      rule: 'passes-by',
      // Whoever also turned off the last door meant it.
      grade: door !== null && !shut ? 'note' : 'wrong',
      where,
      what: "Purser's filter is off on this route",
      why: shut ? 'the last door is not: every call gets 403' : 'its calls are neither judged nor metered',
      fix: shut ? 'turn the filter on; or both off, where calls are to be free' : 'turn the filter on, unless calls are to be free here',
    },
  ]
}

function timeFindings({ chain }: GuardedChain, { action, route }: Route, where: string): Finding[] {
  const findings: Finding[] = []
  const cuts = (rule: string, what: string, why: string, fix: string): void => {
    findings.push({ rule, grade: 'wrong', where, what, why, fix })
  }
  const timeout = action.at('timeout').ms()
  if (timeout === null || (timeout > 0 && timeout < DEADLINE_MS)) {
    const what = timeout === null ? `timeout is not set, which means ${ENVOY_TIMEOUT_MS / 1_000} s` : `timeout is ${timeout / 1_000} s`
    cuts('route-timeout', what, 'longer answers are cut, and the provider is paid for them', 'timeout: 0s')
  }
  const manager = chain.manager.at('stream_idle_timeout').ms()
  const idle = action.at('idle_timeout').ms() ?? manager ?? ENVOY_IDLE_MS
  if (idle > 0 && idle < IDLE_MS_MIN)
    cuts(
      'idle-timeout',
      `streams that are silent for ${idle / 1_000} s are cut`,
      'a model may think for minutes between two bytes',
      'stream_idle_timeout: 0s on the connection manager',
    )
  const longest = [action, route].map(level => level.at('max_stream_duration', 'max_stream_duration').ms()).find(ms => ms !== null) ?? 0
  if (longest > 0 && longest < DEADLINE_MS)
    cuts(
      'stream-duration',
      `max_stream_duration is ${longest / 1_000} s`,
      'longer answers are cut, and the provider is paid for them',
      'remove max_stream_duration',
    )
  return findings
}

function repeatFindings({ action, host }: Route, where: string): Finding[] {
  const own = action.at('retry_policy')
  const policy = own.isSet ? own : host.at('retry_policy')
  const unsafe = (policy.at('retry_on').text() ?? '')
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '' && !SAFE_RETRIES.includes(name))
  const findings: Finding[] = []
  const twice = (rule: string, what: string, fix: string): void => {
    findings.push({
      rule,
      grade: 'wrong',
      where,
      what,
      why: 'the provider may bill what was asked twice, and Purser reserved for one call',
      fix,
    })
  }
  if (unsafe.length > 0) twice('retries', `retry_on has ${unsafe.join(', ')}`, 'retry_on: connect-failure,refused-stream')
  for (const name of ['per_try_timeout', 'per_try_idle_timeout'] as const)
    if ((policy.at(name).ms() ?? 0) > 0) twice('per-try-timeout', `${name} is ${(policy.at(name).ms() ?? 0) / 1_000} s`, `remove ${name}`)
  if ((action.at('hedge_policy').isSet ? action : host).at('hedge_policy', 'hedge_on_per_try_timeout').on())
    twice('hedging', 'hedge_policy sends a request again while the first is still open', 'remove hedge_policy')
  if (action.at('request_mirror_policies').list().length > 0)
    twice('mirror', 'request_mirror_policies sends a copy of each call', 'remove request_mirror_policies, or mirror to what bills nothing')
  return findings
}

function bufferFindings({ chain }: GuardedChain, route: Route, where: string): Finding[] {
  const limit = bufferLimit(chain, route)
  if (limit > GRPC_MESSAGE_BYTES_MAX / 2)
    return [
      {
        rule: 'buffer-limit',
        grade: 'wrong',
        where,
        what: `requests of up to ${mib(limit)} are buffered`,
        why: 'Purser takes bodies of up to 32 MiB: longer ones would end in an error instead of 413',
        fix: `request_body_buffer_limit: ${BODY_BYTES_MAX}`,
      },
    ]
  if (limit >= BODY_BYTES_MAX) return []
  return [
    {
      rule: 'buffer-limit',
      grade: limit <= ENVOY_BUFFER_BYTES ? 'wrong' : 'note',
      where,
      what: `requests of more than ${mib(limit)} are refused with 413`,
      why: 'long prompts and images do not fit',
      fix: `request_body_buffer_limit: ${BODY_BYTES_MAX} on the route or the virtual host`,
    },
  ]
}

/** The largest body that comes through whole: a buffer filter that works on the route decides before all else. */
function bufferLimit(chain: GuardedChain['chain'], route: Route): number {
  const buffer = chain.filters.find(({ type }) => type === 'Buffer')
  if (buffer !== undefined) {
    const { on, changes } = onRoute(buffer, route)
    const said = [...changes.map(change => change.at('buffer', 'max_request_bytes')), buffer.config.at('max_request_bytes')]
    if (on) return said.find(({ isSet }) => isSet)?.number() ?? ENVOY_BUFFER_BYTES
  }
  const ask = chain.filters.find(({ type, config }) => type === 'ExtAuthz' && config.at('with_request_body').isSet)
  const levels = [route.route, route.host].map(level => level.at('request_body_buffer_limit'))
  const said = [
    ...levels,
    ask?.config.at('with_request_body', 'max_request_bytes') ?? new Setting(undefined),
    chain.listener.at('per_connection_buffer_limit_bytes'),
  ]
  return said.find(({ isSet }) => isSet)?.number() ?? ENVOY_BUFFER_BYTES
}

const mib = (bytes: number): string => (bytes >= 1_048_576 ? `${Math.floor(bytes / 1_048_576)} MiB` : `${Math.floor(bytes / 1_024)} KiB`)
