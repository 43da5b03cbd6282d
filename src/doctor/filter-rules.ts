// What the filters that call Purser must say, besides their modes. Pure.
import { ENVOY_MESSAGE_TIMEOUT_MS } from '../limits.ts'
import type { Finding, Grade } from './finding.ts'
import type { Guard, GuardedChain } from './guard.ts'
import { failsOpen, modeFindings } from './mode-rules.ts'
import type { Setting } from './setting.ts'
import type { Setup } from './setup.ts'

/** Of the filters themselves. */
export function filterFindings(guarded: GuardedChain, setup: Setup): Finding[] {
  return guarded.guards.flatMap(guard => {
    const where = `listener ${guarded.chain.name}, filter ${guard.filter.name}`
    const { config } = guard.filter
    return [
      ...(guard.role === 'ask' ? askFindings(config, where) : processorFindings(guard, config, where)),
      ...reachFindings(guard, setup, where),
      ...claimFindings(guarded, guard, where),
    ]
  })
}

function processorFindings(guard: Guard, config: Setting, where: string): Finding[] {
  const { role } = guard
  const findings = modeFindings(guard, config.at('processing_mode'), where)
  if (role === 'settle') return [...findings, ...settleFindings(config, where)]
  if (config.at('failure_mode_allow').on()) findings.push(failsOpen(where))
  if (!config.at('status_on_error').isSet) findings.push(noStatus(where))
  findings.push(...timeoutFindings('message_timeout', config.at('message_timeout').ms(), where))
  if (!config.at('metadata_options', 'receiving_namespaces', 'untyped').texts().includes('purser')) findings.push(notReceiving(role, where))
  for (const name of ['send_body_without_waiting_for_header_response', 'disable_immediate_response'] as const)
    if (config.at(name).on()) findings.push(mustBeOff(name, where))
  if (config.at('allow_mode_override').on()) findings.push(modeOverride(where))
  if (config.at('mutation_rules', 'disallow_all').on() || config.at('mutation_rules', 'disallow_expression').isSet)
    findings.push(noChanges(where))
  findings.push(...retryFindings(config, where), ...attributeFindings(role, config, where))
  return findings
}

function settleFindings(config: Setting, where: string): Finding[] {
  const findings = responseAttributes(config, where)
  if (!config.at('failure_mode_allow').on()) findings.push(settleFails(where))
  const told = config.at('metadata_options', 'forwarding_namespaces', 'untyped').texts()
  if (!told.includes('purser') && !told.includes('envoy.filters.http.ext_authz')) findings.push(settleBlind(where))
  return findings
}

function askFindings(config: Setting, where: string): Finding[] {
  const findings: Finding[] = []
  if (config.at('failure_mode_allow').on()) findings.push(failsOpen(where))
  if (!config.at('with_request_body').isSet)
    findings.push({
      rule: 'no-body',
      grade: 'wrong',
      where,
      what: 'with_request_body is not set',
      why: 'Purser cannot judge a call whose body it does not see',
      fix: 'with_request_body: { max_request_bytes: 33554432, pack_as_bytes: true }',
    })
  else if (config.at('with_request_body', 'allow_partial_message').on())
    findings.push({
      rule: 'partial-body',
      grade: 'wrong',
      where,
      what: 'allow_partial_message is true',
      why: 'half a body is no call that can be judged: long prompts would be refused or estimated too low',
      fix: 'allow_partial_message: false',
    })
  findings.push(...timeoutFindings('grpc_service.timeout', config.at('grpc_service', 'timeout').ms(), where))
  return findings
}

function timeoutFindings(name: string, said: number | null, where: string): Finding[] {
  if (said !== null && said >= ENVOY_MESSAGE_TIMEOUT_MS) return []
  const what = said === null ? `${name} is not set, which means 200 ms` : `${name} is ${said} ms`
  return [
    {
      rule: 'message-timeout',
      grade: 'wrong',
      where,
      what,
      why: 'Purser answers within 2 s whatever its ledger does; Envoy would give up before, and in ext_proc cut answers that are on their way',
      fix: `${name}: ${ENVOY_MESSAGE_TIMEOUT_MS / 1_000}s`,
    },
  ]
}

function retryFindings(config: Setting, where: string): Finding[] {
  const policy = config.at('grpc_service', 'retry_policy')
  if (policy.at('retry_on').text() !== null) return []
  return [
    {
      rule: 'no-retry',
      grade: 'note',
      where,
      what: policy.isSet ? 'retry_policy says no retry_on, so nothing is retried' : 'grpc_service has no retry_policy',
      why: 'calls fail that reach a replica which is just going away; they could have gone to another',
      fix: 'retry_policy: { retry_on: "connect-failure,refused-stream,reset,unavailable", num_retries: 2 }',
    },
  ]
}

function attributeFindings(role: Guard['role'], config: Setting, where: string): Finding[] {
  const why = 'budgets of a namespace are found by the name of the route'
  const findings = lacking('request_attributes', ['xds.route_name', 'source.address'], 'note', why, config, where)
  return role === 'whole' ? [...findings, ...responseAttributes(config, where)] : findings
}

function responseAttributes(config: Setting, where: string): Finding[] {
  const wanted = ['response.code_details', 'response.flags', 'upstream.request_attempt_count']
  const why = 'calls that never reached the provider would be charged: Purser could not tell them'
  return lacking('response_attributes', wanted, 'wrong', why, config, where)
}

function lacking(list: string, wanted: readonly string[], grade: Grade, why: string, config: Setting, where: string): Finding[] {
  const said = config.at(list).texts()
  const missing = wanted.filter(name => !said.includes(name))
  if (missing.length === 0) return []
  const what = `${list} lacks ${missing.join(', ')}`
  return [{ rule: list.replaceAll('_', '-'), grade, where, what, why, fix: `${list}: [${wanted.join(', ')}]` }]
}

function reachFindings(guard: Guard, { clusters }: Setup, where: string): Finding[] {
  if (guard.cluster === '')
    return [
      {
        rule: 'no-cluster',
        grade: 'wrong',
        where,
        what: 'grpc_service names nobody to call',
        why: 'every call fails',
        fix: 'grpc_service: { envoy_grpc: { cluster_name: purser } }',
      },
    ]
  if (clusters.has(guard.cluster) || guard.filter.config.at('grpc_service', 'google_grpc').isSet) return []
  return [
    {
      rule: 'unknown-cluster',
      grade: 'wrong',
      where,
      what: `it calls the cluster ${guard.cluster}, which does not exist`,
      why: 'every call fails; where the filter fails open, every call is free',
      fix: `add a cluster ${guard.cluster}, or name the one that leads to Purser`,
    },
  ]
}

function claimFindings({ chain }: GuardedChain, { filter, role }: Guard, where: string): Finding[] {
  const verifies = chain.filters.some(({ type }) => type === 'JwtAuthentication')
  if (!verifies || role === 'settle') return []
  const told =
    role === 'ask'
      ? filter.config.at('metadata_context_namespaces').texts()
      : filter.config.at('metadata_options', 'forwarding_namespaces', 'untyped').texts()
  if (told.includes('envoy.filters.http.jwt_authn')) return []
  const name = role === 'ask' ? 'metadata_context_namespaces' : 'forwarding_namespaces.untyped'
  return [
    {
      rule: 'no-claims',
      grade: 'wrong',
      where,
      what: `${name} lacks envoy.filters.http.jwt_authn, though a filter verifies tokens`,
      why: 'policies that select or partition by claims never match',
      fix: `${name}: [envoy.filters.http.jwt_authn]`,
    },
  ]
}

const settleFails = (where: string): Finding => ({
  rule: 'settle-fails',
  grade: 'wrong',
  where,
  what: 'the filter that only observes has failure_mode_allow: false',
  why: 'answers that the provider was paid for are broken when Purser goes away',
  fix: 'failure_mode_allow: true on this filter, and false on the one that judges',
})

const settleBlind = (where: string): Finding => ({
  rule: 'settle-blind',
  grade: 'wrong',
  where,
  what: 'forwarding_namespaces.untyped lacks the namespace in which the judging filter leaves the reservation',
  why: 'the settling filter never learns which reservation is its own: every call is charged at its estimate',
  fix: 'metadata_options: { forwarding_namespaces: { untyped: [purser] } }, or envoy.filters.http.ext_authz after ext_authz',
})

const noStatus = (where: string): Finding => ({
  rule: 'status-on-error',
  grade: 'note',
  where,
  what: 'status_on_error is not set',
  why: 'clients get 500 while Purser is away, and take it for a bug; 503 says what it is',
  fix: 'status_on_error: { code: ServiceUnavailable }',
})

const notReceiving = (role: Guard['role'], where: string): Finding => ({
  rule: 'receiving-namespaces',
  grade: 'wrong',
  where,
  what: 'receiving_namespaces.untyped lacks purser',
  why:
    role === 'reserve'
      ? 'the settling filter and the access log never learn which reservation is theirs: every call is charged at its estimate'
      : 'the last door shuts on every call, and the access log cannot say what became of a reservation',
  fix: 'metadata_options: { receiving_namespaces: { untyped: [purser] } }',
})

const mustBeOff = (name: string, where: string): Finding => ({
  rule: name.replaceAll('_', '-'),
  grade: 'wrong',
  where,
  what: `${name} is true`,
  why: name.startsWith('send') ? "the body must wait for the headers' answer" : 'refusals become errors, and clients cannot read them',
  fix: `remove ${name}`,
})

const modeOverride = (where: string): Finding => ({
  rule: 'mode-override',
  grade: 'note',
  where,
  what: 'allow_mode_override is true',
  why: 'Purser never asks for other modes; whoever else answers in its place could',
  fix: 'remove allow_mode_override',
})

const noChanges = (where: string): Finding => ({
  rule: 'mutation-rules',
  grade: 'wrong',
  where,
  what: 'mutation_rules keep Purser from changing headers',
  why: 'its own keys would reach the provider, and bounds that it puts into a body would break the request',
  fix: 'remove mutation_rules',
})
