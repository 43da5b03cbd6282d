// The cases of the doctor's rules: each hurts the shipped configuration in one place, and says which rule must find it.
import { type Any, Patient } from './patient.ts'

export type Hurt = (patient: Patient) => void
export type Case = readonly [rule: string, grade: 'wrong' | 'note', what: string, ...hurts: readonly Hurt[]]

const EXT_PROC = 'envoy.filters.http.ext_proc'
const RBAC = 'envoy.filters.http.rbac'
const OFF = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute', disabled: true }
const DOOR_OFF = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute' }

/** Sets, or with undefined removes, what a path of the patient leads to. */
const set =
  (path: string, value?: unknown): Hurt =>
  patient => {
    const names = path.split('/')
    const last = names.pop() ?? ''
    const holder = names.reduce<Any>((at, name) => at[name], patient)
    if (value === undefined) delete holder[last]
    else holder[last] = value
  }
const split: Hurt = patient => patient.split()
const ask: Hurt = patient => patient.ask()
const noDoor: Hurt = patient => patient.withoutDoor()
const insert =
  (position: number, type: string, config: object = {}): Hurt =>
  patient =>
    patient.insert(position, type, type, config)
const overrides = (fields: object): Hurt => set(`route/typed_per_filter_config/${EXT_PROC}/overrides`, fields)
const again: Hurt = ({ filters }) => {
  filters.splice(1, 0, { ...structuredClone(filters[0]), name: 'again' })
}
const doorFirst: Hurt = ({ filters }) => {
  filters.unshift(...filters.splice(1, 1))
}
const noJudge: Hurt = ({ filters, host }) => {
  filters.shift()
  for (const route of host.routes) delete route.typed_per_filter_config
}
const twoClusters: Hurt = ({ route }) => {
  delete route.route.cluster
  const clusters = [
    { name: 'openai', weight: 1 },
    { name: 'anthropic', weight: 1, typed_per_filter_config: { [EXT_PROC]: OFF } },
  ]
  route.route.weighted_clusters = { clusters }
}
const addListener: Hurt = patient => {
  patient.config.static_resources.listeners.push(unguarded(patient.listener))
}

/** A copy of the listener without any filter but the router. */
export function unguarded(listener: Any): Any {
  const copy = structuredClone(listener)
  copy.name = 'other'
  const manager = copy.filter_chains[0].filters[0].typed_config
  manager.http_filters = manager.http_filters.slice(-1)
  manager.route_config.virtual_hosts[0].routes.pop()
  return copy
}

const OF_FILTERS: readonly Case[] = [
  ['fails-open', 'wrong', 'the filter', set('processor/failure_mode_allow', true)],
  ['fails-open', 'wrong', 'a route', overrides({ failure_mode_allow: true })],
  ['fails-open', 'wrong', 'ext_authz', ask, set('authorizer/failure_mode_allow', true)],
  ['settle-fails', 'wrong', 'the settling filter', split, set('settler/failure_mode_allow', false)],
  ['settle-blind', 'wrong', 'the settling filter', split, set('settler/metadata_options/forwarding_namespaces/untyped', ['other'])],
  ['response-attributes', 'wrong', 'of the settling filter', split, set('settler/response_attributes')],
  ['message-timeout', 'wrong', 'not set', set('processor/message_timeout')],
  ['message-timeout', 'wrong', 'short', set('processor/message_timeout', '0.5s')],
  ['message-timeout', 'wrong', 'of ext_authz', ask, set('authorizer/grpc_service/timeout')],
  ['request-header-mode', 'wrong', 'SKIP', set('processor/processing_mode/request_header_mode', 'SKIP')],
  ['request-body-mode', 'wrong', 'STREAMED', set('processor/processing_mode/request_body_mode', 'STREAMED')],
  ['request-body-mode', 'wrong', 'not set', set('processor/processing_mode/request_body_mode')],
  ['request-body-mode', 'wrong', 'partial', set('processor/processing_mode/request_body_mode', 'BUFFERED_PARTIAL')],
  ['response-header-mode', 'wrong', 'SKIP', set('processor/processing_mode/response_header_mode', 'SKIP')],
  ['response-body-mode', 'wrong', 'BUFFERED', set('processor/processing_mode/response_body_mode', 'BUFFERED')],
  ['response-body-mode', 'wrong', 'of the settling filter', split, set('settler/processing_mode/response_body_mode')],
  ['response-body-mode', 'wrong', 'of a route', overrides({ processing_mode: { request_body_mode: 'BUFFERED' } })],
  ['status-on-error', 'note', 'not set', set('processor/status_on_error')],
  ['receiving-namespaces', 'wrong', 'not set', set('processor/metadata_options/receiving_namespaces')],
  ['receiving-namespaces', 'wrong', 'split', split, set('processor/metadata_options/receiving_namespaces')],
  ['send-body-without-waiting-for-header-response', 'wrong', 'on', set('processor/send_body_without_waiting_for_header_response', true)],
  ['disable-immediate-response', 'wrong', 'on', set('processor/disable_immediate_response', true)],
  ['mode-override', 'note', 'on', set('processor/allow_mode_override', true)],
  ['mutation-rules', 'wrong', 'all', set('processor/mutation_rules', { disallow_all: true })],
  ['no-retry', 'note', 'no policy', set('processor/grpc_service/retry_policy')],
  ['no-retry', 'note', 'no retry_on', set('processor/grpc_service/retry_policy/retry_on')],
  ['request-attributes', 'note', 'none', set('processor/request_attributes')],
  ['response-attributes', 'wrong', 'one missing', set('processor/response_attributes', ['response.flags', 'response.code_details'])],
  ['no-cluster', 'wrong', 'none', set('processor/grpc_service/envoy_grpc', {})],
  ['unknown-cluster', 'wrong', 'a name that is none', set('processor/grpc_service/envoy_grpc/cluster_name', 'pursr')],
  ['calls-another', 'wrong', 'a route', overrides({ grpc_service: { envoy_grpc: { cluster_name: 'openai' } } })],
  ['no-claims', 'wrong', 'ext_proc', set('processor/metadata_options/forwarding_namespaces'), insert(0, 'jwt_authn.v3.JwtAuthentication')],
  ['no-claims', 'wrong', 'ext_authz', ask, insert(0, 'jwt_authn.v3.JwtAuthentication')],
  ['no-body', 'wrong', 'ext_authz', ask, set('authorizer/with_request_body'), set('host/request_body_buffer_limit', 33_554_432)],
  ['partial-body', 'wrong', 'ext_authz', ask, set('authorizer/with_request_body/allow_partial_message', true)],
]

const OF_CHAINS: readonly Case[] = [
  ['identity-after', 'wrong', 'JWT', insert(1, 'jwt_authn.v3.JwtAuthentication')],
  ['identity-after', 'wrong', 'another ext_authz', insert(1, 'ext_authz.v3.ExtAuthz')],
  ['credential-before', 'wrong', 'injector', insert(0, 'credential_injector.v3.CredentialInjector')],
  ['compressor-after', 'note', 'gzip', insert(1, 'compressor.v3.Compressor')],
  ['no-last-door', 'note', 'none', noDoor],
  ['door-before', 'wrong', 'first', doorFirst],
  ['only-observes', 'wrong', 'alone', split, noJudge, noDoor],
  ['no-access-log', 'wrong', 'split', split, set('manager/access_log')],
  ['no-access-log', 'wrong', 'ext_authz', ask, set('manager/access_log')],
  ['judged-twice', 'wrong', 'the same filter', again],
  ['stream-duration', 'wrong', 'connection manager', set('manager/common_http_protocol_options', { max_stream_duration: '60s' })],
  ['normalize-path', 'wrong', 'off', set('manager/normalize_path')],
  ['escaped-slashes', 'note', 'kept', set('manager/path_with_escaped_slashes_action')],
  ['client-cert', 'note', 'passed on', set('manager/forward_client_cert_details', 'FORWARD_ONLY')],
  ['bypass-listener', 'wrong', 'another port', addListener],
  ['nobody-asks', 'wrong', 'no filter', noJudge, noDoor],
]

const OF_ROUTES: readonly Case[] = [
  ['routes-unknown', 'note', 'RDS', set('manager/route_config'), set('manager/rds', { route_config_name: 'elsewhere' })],
  ['passes-by', 'wrong', 'off on a route', set(`route/typed_per_filter_config/${EXT_PROC}`, OFF)],
  ['passes-by', 'wrong', 'off on the host', set('route/typed_per_filter_config'), set('host/typed_per_filter_config', { [EXT_PROC]: OFF })],
  ['passes-by', 'wrong', 'off for one of two clusters', twoClusters],
  ['passes-by', 'wrong', 'off unless a route says so', set('filters/0/disabled', true), set('route/typed_per_filter_config')],
  ['passes-by', 'note', 'off with the last door', set('route/typed_per_filter_config', { [EXT_PROC]: OFF, [RBAC]: DOOR_OFF })],
  ['door-off', 'note', 'the door alone', set(`route/typed_per_filter_config/${RBAC}`, DOOR_OFF)],
  ['route-timeout', 'wrong', 'not set', set('route/route/timeout')],
  ['route-timeout', 'wrong', 'a minute', set('route/route/timeout', '60s')],
  ['idle-timeout', 'wrong', 'not set', set('manager/stream_idle_timeout')],
  ['idle-timeout', 'wrong', 'of a route', set('route/route/idle_timeout', '60s')],
  ['stream-duration', 'wrong', 'route', set('route/route/max_stream_duration', { max_stream_duration: '60s' })],
  ['retries', 'wrong', '5xx', set('host/retry_policy/retry_on', 'connect-failure, 5xx')],
  ['retries', 'wrong', 'on a route', set('route/route/retry_policy', { retry_on: 'gateway-error' })],
  ['per-try-timeout', 'wrong', 'set', set('host/retry_policy/per_try_timeout', '10s')],
  ['hedging', 'wrong', 'on', set('route/route/hedge_policy', { hedge_on_per_try_timeout: true })],
  ['mirror', 'wrong', 'on', set('route/route/request_mirror_policies', [{ cluster: 'anthropic' }])],
  ['buffer-limit', 'wrong', 'not set', set('host/request_body_buffer_limit')],
  ['buffer-limit', 'note', 'small', set('host/request_body_buffer_limit', 8_388_608)],
  ['buffer-limit', 'wrong', 'beyond what Purser takes', set('host/request_body_buffer_limit', 134_217_728)],
  ['buffer-limit', 'wrong', 'of a buffer filter', insert(0, 'buffer.v3.Buffer', { max_request_bytes: 65_536 })],
]

const HTTP = 'typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
const NAMES = 'transport_socket/typed_config/common_tls_context/validation_context/match_typed_subject_alt_names'
const ADDRESS = 'load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address'

const OF_CLUSTERS: readonly Case[] = [
  ['circuit-breaker', 'wrong', 'of Purser', set('purser/circuit_breakers')],
  ['circuit-breaker', 'note', 'of a provider', set('openai/circuit_breakers')],
  ['no-http2', 'wrong', 'HTTP/1', set('purser/typed_extension_protocol_options')],
  ['one-replica', 'note', 'LOGICAL_DNS', set('purser/type', 'LOGICAL_DNS')],
  ['no-health', 'note', 'none', set('purser/health_checks'), set('purser/outlier_detection')],
  ['no-health', 'note', 'TCP', set('purser/health_checks', [{ tcp_health_check: {} }]), set('purser/outlier_detection')],
  ['stream-duration', 'wrong', 'cluster', set(`purser/${HTTP}/common_http_protocol_options`, { max_stream_duration: '60s' })],
  ['plaintext', 'note', 'another machine', set(`purser/${ADDRESS}`, 'purser.example')],
  ['plaintext', 'note', 'a provider', set('openai/transport_socket')],
  ['any-certificate', 'wrong', 'no name', set(`openai/${NAMES}`)],
]

export const CASES: readonly Case[] = [...OF_FILTERS, ...OF_CHAINS, ...OF_ROUTES, ...OF_CLUSTERS]

const ON_BY_ROUTES: Hurt = ({ filters, host }) => {
  filters[0].disabled = true
  const on = { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', config: {} }
  for (const route of host.routes) route.typed_per_filter_config = { [EXT_PROC]: on }
}
const leadsElsewhere: Hurt = patient => {
  const other = unguarded(patient.listener)
  other.filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.cluster = 'metrics'
  patient.config.static_resources.listeners.push(other)
}
const redirects: Hurt = ({ host }) => {
  host.routes.unshift({ match: { path: '/' }, redirect: { path_redirect: '/docs' } })
}
const ON_TRAILERS = { response_body_mode: 'NONE', response_trailer_mode: 'SEND' }
const DUPLEX = { request_body_mode: 'FULL_DUPLEX_STREAMED', response_body_mode: 'FULL_DUPLEX_STREAMED' }

/** What is different from the shipped file, and as sound. */
export const SOUND: readonly (readonly [what: string, ...changes: readonly Hurt[]])[] = [
  ['the shipped configuration'],
  ['two filters, one of them observing', split],
  ['ext_authz', ask],
  ['tokens that Envoy counted', split, patient => void Object.assign(patient.settler.processing_mode, ON_TRAILERS)],
  ['full duplex', patient => void Object.assign(patient.processor.processing_mode, DUPLEX)],
  ['a redirect, which calls nobody', redirects],
  ['a listener that leads elsewhere', leadsElsewhere],
  ['a filter that is on only where a route says so', ON_BY_ROUTES],
  ['verified tokens before Purser', insert(0, 'jwt_authn.v3.JwtAuthentication')],
]

export function hurt(...hurts: readonly Hurt[]): Patient {
  const patient = new Patient()
  for (const one of hurts) one(patient)
  return patient
}
