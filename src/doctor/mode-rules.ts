// What the filters that call Purser send it and when they let calls pass, on their own and where a route changes them. Pure.
import type { Finding } from './finding.ts'
import type { Guard, GuardedChain } from './guard.ts'
import { Setting } from './setting.ts'
import { onRoute } from './setup.ts'

/** Of what routes change about them. */
export function overrideFindings({ chain, guards }: GuardedChain): Finding[] {
  return chain.routes.flatMap(route =>
    guards.flatMap(guard => {
      const { on, changes } = onRoute(guard.filter, route)
      if (!on || guard.role === 'ask') return []
      const where = `route ${route.name}`
      const overrides = changes.map(change => change.at('overrides'))
      const first = (name: string): Setting => overrides.map(change => change.at(name)).find(value => value.isSet) ?? new Setting(undefined)
      const mode = first('processing_mode')
      const fails = first('failure_mode_allow')
      const calls = first('grpc_service')
      return [
        ...(mode.isSet ? modeFindings(guard, mode, where) : []),
        ...(guard.role !== 'settle' && fails.on() ? [failsOpen(where)] : []),
        ...(calls.isSet && calls.at('envoy_grpc', 'cluster_name').text() !== guard.cluster ? [callsAnother(where)] : []),
      ]
    }),
  )
}

export function modeFindings({ role }: Guard, mode: Setting, where: string): Finding[] {
  const findings: Finding[] = []
  const must = (name: string, allowed: readonly string[], unset: string, why: string): void => {
    const said = mode.at(name).text() ?? unset
    if (allowed.includes(said)) return
    const what = `${name} is ${mode.at(name).isSet ? said : `not set, which means ${unset}`}`
    findings.push({ rule: name.replaceAll('_', '-'), grade: 'wrong', where, what, why, fix: `${name}: ${allowed[0]}` })
  }
  // The default of headers is to send them; DEFAULT says the same.
  const sent = ['SEND', 'DEFAULT']
  if (role !== 'settle') {
    must(
      'request_header_mode',
      sent,
      'SEND',
      'without the headers Purser knows neither the caller nor the endpoint, and refuses every call',
    )
    const whole = ['BUFFERED', 'FULL_DUPLEX_STREAMED']
    must('request_body_mode', whole, 'NONE', 'the call would leave before its verdict, or never be seen; Purser refuses every call')
  }
  if (role === 'reserve') return findings
  must('response_header_mode', sent, 'SEND', 'Purser would not know how the provider answered, and charge every call at its estimate')
  const metered = ['STREAMED', 'FULL_DUPLEX_STREAMED']
  // An observing filter may get the tokens that Envoy counted, on the trailers.
  if (role === 'settle' && mode.at('response_trailer_mode').text() === 'SEND') metered.push('NONE')
  must(
    'response_body_mode',
    metered,
    'NONE',
    'answers are metered as they pass; BUFFERED breaks or hangs above 1 MiB, after the provider was paid',
  )
  return findings
}

export const failsOpen = (where: string): Finding => ({
  rule: 'fails-open',
  grade: 'wrong',
  where,
  what: 'failure_mode_allow is true',
  why: 'every call is free while Purser is away or late',
  fix: 'failure_mode_allow: false',
})

const callsAnother = (where: string): Finding => ({
  rule: 'calls-another',
  grade: 'wrong',
  where,
  what: "the route has Purser's filter call another cluster (overrides.grpc_service)",
  why: 'whoever answers there decides what Purser should',
  fix: 'remove grpc_service from the overrides of the route',
})
