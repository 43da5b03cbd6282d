// What the clusters must say that lead to Purser and to the providers. Pure.
import { DEADLINE_MS } from '../limits.ts'
import type { Finding } from './finding.ts'
import type { GuardedChain } from './guard.ts'
import type { Setting } from './setting.ts'
import type { Setup } from './setup.ts'

/** Calls at once that an Envoy must let through before it is worth a thought. */
const CALLS_AT_ONCE = 10_000
const ENVOY_REQUESTS = 1_024
const LOOPBACK = /^(127\.|::1$|localhost$)/

export function clusterFindings(setup: Setup, guarded: readonly GuardedChain[]): Finding[] {
  const pursers = new Set(guarded.flatMap(({ guards }) => guards.map(({ cluster }) => cluster)))
  const providers = new Set(guarded.flatMap(({ chain }) => chain.routes.map(({ cluster }) => cluster)))
  const of = (names: ReadonlySet<string>, findings: (cluster: Setting, where: string) => Finding[]): Finding[] =>
    [...names].flatMap(name => {
      const cluster = setup.clusters.get(name)
      return cluster === undefined ? [] : findings(cluster, `cluster ${name}`)
    })
  return [...of(pursers, purserFindings), ...of(providers, providerFindings)]
}

function purserFindings(cluster: Setting, where: string): Finding[] {
  const findings = [...breakerFindings(cluster, where, 'wrong'), ...durationFindings(cluster, where)]
  const http = httpOptions(cluster).at('explicit_http_config')
  if (!http.at('http2_protocol_options').isSet && !cluster.at('http2_protocol_options').isSet)
    findings.push({
      rule: 'no-http2',
      grade: 'wrong',
      where,
      what: 'it does not speak HTTP/2',
      why: 'gRPC is HTTP/2: no call to Purser succeeds',
      fix: 'explicit_http_config: { http2_protocol_options: {} } in its HttpProtocolOptions',
    })
  if (cluster.at('type').text() === 'LOGICAL_DNS')
    findings.push({
      rule: 'one-replica',
      grade: 'note',
      where,
      what: 'its type is LOGICAL_DNS',
      why: 'all calls of a worker go to one replica; another is asked only when the connection ends',
      fix: 'type: STRICT_DNS, on a headless Service in Kubernetes',
    })
  const checks = cluster.at('health_checks').list()
  if (!cluster.at('outlier_detection').isSet && !checks.some(check => check.at('grpc_health_check').isSet))
    findings.push({
      rule: 'no-health',
      grade: 'note',
      where,
      what:
        checks.length > 0
          ? 'its health checks are not of gRPC, and it has no outlier_detection'
          : 'it has neither health checks nor outlier_detection',
      why: 'a replica that is gone, or hangs with its port open, goes on getting its share of calls, and they fail',
      fix: 'a grpc_health_check and outlier_detection as in deploy/envoy/default.yaml',
    })
  findings.push(...secrecyFindings(cluster, where))
  return findings
}

const providerFindings = (cluster: Setting, where: string): Finding[] => [
  ...breakerFindings(cluster, where, 'note'),
  ...durationFindings(cluster, where),
  ...secrecyFindings(cluster, where),
]

function breakerFindings(cluster: Setting, where: string, grade: Finding['grade']): Finding[] {
  const thresholds = cluster.at('circuit_breakers', 'thresholds').list()
  const usual = thresholds.find(threshold => (threshold.at('priority').text() ?? 'DEFAULT') === 'DEFAULT')
  const said = usual?.at('max_requests').number() ?? ENVOY_REQUESTS
  if (said >= CALLS_AT_ONCE) return []
  return [
    {
      rule: 'circuit-breaker',
      grade,
      where,
      what: `max_requests is ${said}${said === ENVOY_REQUESTS ? ", Envoy's default" : ''}`,
      why: `each open call is a request here, for as long as its answer takes: the one after ${said} is refused`,
      fix: 'circuit_breakers: { thresholds: [{ max_requests: 100000, max_pending_requests: 100000 }] }',
    },
  ]
}

function durationFindings(cluster: Setting, where: string): Finding[] {
  const longest = httpOptions(cluster).at('common_http_protocol_options', 'max_stream_duration').ms()
  if (longest === null || longest === 0 || longest >= DEADLINE_MS) return []
  return [
    {
      rule: 'stream-duration',
      grade: 'wrong',
      where,
      what: `max_stream_duration is ${longest / 1_000} s`,
      why: 'longer answers are cut, and the provider is paid for them',
      fix: 'remove max_stream_duration',
    },
  ]
}

function secrecyFindings(cluster: Setting, where: string): Finding[] {
  const matches = cluster.at('transport_socket_matches').list()
  const sockets = (matches.length > 0 ? matches : [cluster]).map(holder => holder.at('transport_socket')).filter(socket => socket.isSet)
  const far = addressesOf(cluster).find(address => !LOOPBACK.test(address))
  if (sockets.length === 0 && far !== undefined)
    return [
      {
        rule: 'plaintext',
        grade: 'note',
        where,
        what: `bodies and keys go to ${far} in the clear`,
        why: 'whoever is on the way reads prompts and keys, and may answer in its place',
        fix: 'TLS, docs/tls.md; where a mesh encrypts, leave it',
      },
    ]
  if (sockets.every(checksName)) return []
  return [
    {
      rule: 'any-certificate',
      grade: 'wrong',
      where,
      what: 'its TLS checks no name (match_typed_subject_alt_names)',
      why: 'any certificate of the CA, or any at all, may pass for the one that is meant',
      fix: 'match_typed_subject_alt_names, docs/tls.md',
    },
  ]
}

function checksName(socket: Setting): boolean {
  const config = socket.at('typed_config')
  if (config.type() !== 'UpstreamTlsContext') return true
  const tls = config.at('common_tls_context')
  const combined = tls.at('combined_validation_context', 'default_validation_context')
  const validation = combined.isSet ? combined : tls.at('validation_context')
  // What a secret says is not in a configuration.
  if (tls.at('validation_context_sds_secret_config').isSet) return true
  return ['match_typed_subject_alt_names', 'match_subject_alt_names'].some(list => validation.at(list).list().length > 0)
}

const addressesOf = (cluster: Setting): string[] =>
  cluster
    .at('load_assignment', 'endpoints')
    .list()
    .flatMap(group => group.at('lb_endpoints').list())
    .flatMap(one => one.at('endpoint', 'address', 'socket_address', 'address').text() ?? [])

const httpOptions = (cluster: Setting): Setting =>
  cluster
    .at('typed_extension_protocol_options')
    .entries()
    .find(([name]) => name === 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions')?.[1] ?? cluster.at('nothing')
