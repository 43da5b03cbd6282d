// What a chain of filters must be around Purser: who comes before and after it, the last door, and what would cut answers. Pure.
import { DEADLINE_MS } from '../limits.ts'
import type { Finding } from './finding.ts'
import type { GuardedChain } from './guard.ts'
import { type Filter, onRoute, type Setup } from './setup.ts'

const IDENTIFIES = ['JwtAuthentication', 'ApiKeyAuth', 'BasicAuth', 'OAuth2', 'ExtAuthz']
/** A generation may be silent for minutes; what is cut before is cut for no reason. */
export const IDLE_MS_MIN = 600_000

export function chainFindings(guarded: GuardedChain): Finding[] {
  const where = `listener ${guarded.chain.name}`
  return [
    ...orderFindings(guarded, where),
    ...doorFindings(guarded, where),
    ...wiringFindings(guarded, where),
    ...managerFindings(guarded, where),
  ]
}

/** Other ways to the same providers. */
export function bypassFindings(setup: Setup, guarded: readonly GuardedChain[]): Finding[] {
  const reached = new Set(guarded.flatMap(({ chain }) => chain.routes.map(({ cluster }) => cluster)))
  const others = setup.chains.filter(chain => !guarded.some(({ chain: known }) => known === chain))
  return others.flatMap(chain =>
    chain.routes
      .filter(({ cluster }) => cluster !== '' && reached.has(cluster))
      .map(({ name, cluster }) => ({
        rule: 'bypass-listener',
        grade: 'wrong' as const,
        where: `listener ${chain.name}, route ${name}`,
        what: `it leads to ${cluster}, which another listener reaches only through Purser`,
        why: 'calls that come in here are free',
        fix: 'put the same filters into this listener, or remove the route',
      })),
  )
}

/** The filter that shuts out what Purser has not let through. */
export function lastDoor({ chain }: GuardedChain): Filter | null {
  return chain.filters.find(({ type, config }) => type === 'RBAC' && config.at('rules').mentions('purser')) ?? null
}

function orderFindings({ chain, guards }: GuardedChain, where: string): Finding[] {
  const judging = guards.filter(({ role }) => role !== 'settle')
  const first = Math.min(...judging.map(({ filter }) => filter.position))
  const ours = new Set(guards.map(({ filter }) => filter))
  const findings: Finding[] = []
  for (const { type, name, position } of chain.filters.filter(filter => !ours.has(filter))) {
    if (IDENTIFIES.includes(type) && position > first)
      findings.push({
        rule: 'identity-after',
        grade: 'wrong',
        where,
        what: `${name} comes after Purser`,
        why: 'Purser judges before it is known who calls, and reserves for calls that are refused right after',
        fix: `put ${name} before Purser's filter`,
      })
    if (type === 'CredentialInjector' && position < first)
      findings.push({
        rule: 'credential-before',
        grade: 'wrong',
        where,
        what: `${name} comes before Purser`,
        why: "Purser takes the provider's key for that of the caller, so that nobody has a budget of his own",
        fix: "put it after Purser's filter, or better among the http_filters of the provider's cluster",
      })
    if (type === 'Compressor' && position > first)
      findings.push({
        rule: 'compressor-after',
        grade: 'note',
        where,
        what: `${name} comes after Purser in the list, so that it compresses answers before Purser sees them`,
        why: 'Purser reads compressed answers, but takes longer for each piece, and cannot take out the usage that only it had asked for',
        fix: `put ${name} before Purser's filter`,
      })
  }
  return findings
}

function doorFindings(guarded: GuardedChain, where: string): Finding[] {
  const { chain, guards } = guarded
  const asks = guards.every(({ role }) => role === 'ask' || role === 'settle')
  const door = lastDoor(guarded)
  // ext_authz writes its metadata under a name of its own.
  if (
    door === null &&
    (asks || chain.filters.some(({ type, config }) => type === 'RBAC' && config.at('rules').mentions('envoy.filters.http.ext_authz')))
  )
    return []
  if (door === null)
    return [
      {
        rule: 'no-last-door',
        grade: 'note',
        where,
        what: 'no filter shuts out what Purser has not let through',
        why: 'where a route or a policy takes the filter away, calls go on unseen',
        fix: 'the last door, docs/envoy.md section 2',
      },
    ]
  const last = Math.max(...guards.filter(({ role }) => role !== 'settle').map(({ filter }) => filter.position))
  if (door.position > last) return []
  return [
    {
      rule: 'door-before',
      grade: 'wrong',
      where,
      what: `${door.name} comes before Purser`,
      why: 'it looks for a verdict that is not there yet, and refuses every call',
      fix: `put ${door.name} between Purser's filter and the router`,
    },
  ]
}

function wiringFindings({ chain, guards }: GuardedChain, where: string): Finding[] {
  const has = (role: string): boolean => guards.some(guard => guard.role === role)
  const findings: Finding[] = []
  if (!has('whole') && !has('reserve') && !has('ask'))
    findings.push({
      rule: 'only-observes',
      grade: 'wrong',
      where,
      what: 'Purser only observes (observability_mode), no filter asks it before a call',
      why: 'nothing is ever refused',
      fix: 'observability_mode: false, or a second filter that judges (docs/envoy.md)',
    })
  const settledElsewhere = !has('whole') && (has('reserve') || has('ask'))
  const logs = [...chain.manager.at('access_log').list(), ...chain.listener.at('access_log').list()]
  if (settledElsewhere && !logs.some(log => log.at('typed_config').type() === 'HttpGrpcAccessLogConfig'))
    findings.push({
      rule: 'no-access-log',
      grade: 'wrong',
      where,
      what: 'no access log is sent to Purser (envoy.access_loggers.http_grpc)',
      why: 'a call that is never settled by a filter is charged at its estimate, even if it was never sent',
      fix: 'an http_grpc access log to the cluster of Purser (docs/envoy.md)',
    })
  const twice = chain.routes.find(route => guards.filter(({ filter, role }) => role !== 'settle' && onRoute(filter, route).on).length > 1)
  const listed = guards.filter(({ role, filter }) => role !== 'settle' && !filter.disabled)
  if (twice !== undefined || (chain.routes.length === 0 && listed.length > 1))
    findings.push({
      rule: 'judged-twice',
      grade: 'wrong',
      where: twice === undefined ? where : `${where}, route ${twice.name}`,
      what: 'two filters ask Purser about the same call',
      why: 'it is reserved and charged twice',
      fix: 'keep one of them',
    })
  return findings
}

function managerFindings({ chain: { manager } }: GuardedChain, where: string): Finding[] {
  const findings: Finding[] = []
  const longest = manager.at('common_http_protocol_options', 'max_stream_duration').ms()
  if (longest !== null && longest > 0 && longest < DEADLINE_MS)
    findings.push({
      rule: 'stream-duration',
      grade: 'wrong',
      where,
      what: `max_stream_duration is ${longest / 1_000} s`,
      why: 'longer answers are cut, and the provider is paid for them',
      fix: 'remove max_stream_duration',
    })
  if (!manager.at('normalize_path').on())
    findings.push({
      rule: 'normalize-path',
      grade: 'wrong',
      where,
      what: 'normalize_path is not set',
      why: 'a path such as /v1/files/../chat/completions is judged as one endpoint and answered as another',
      fix: 'normalize_path: true',
    })
  const escaped = manager.at('path_with_escaped_slashes_action').text() ?? 'KEEP_UNCHANGED'
  if (['KEEP_UNCHANGED', 'IMPLEMENTATION_SPECIFIC_DEFAULT'].includes(escaped))
    findings.push({
      rule: 'escaped-slashes',
      grade: 'note',
      where,
      what: `path_with_escaped_slashes_action is ${escaped}`,
      why: 'a provider may read %2F as a slash, where Purser does not',
      fix: 'path_with_escaped_slashes_action: REJECT_REQUEST',
    })
  if (['FORWARD_ONLY', 'ALWAYS_FORWARD_ONLY'].includes(manager.at('forward_client_cert_details').text() ?? ''))
    findings.push({
      rule: 'client-cert',
      grade: 'note',
      where,
      what: 'forward_client_cert_details passes on what the client wrote',
      why: 'with --trust-xfcc a client may name itself as it likes',
      fix: 'forward_client_cert_details: SANITIZE_SET',
    })
  return findings
}
