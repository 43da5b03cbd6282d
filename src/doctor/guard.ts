// Which of a chain's filters call Purser, and what each of them is there for. It judges nothing.
import type { Chain, Filter, Setup } from './setup.ts'

/** `whole` judges and meters · `reserve` judges, another settles · `settle` meters without holding anything · `ask` judges by ext_authz. */
export type Role = 'whole' | 'reserve' | 'settle' | 'ask'

export interface Guard {
  readonly filter: Filter
  readonly role: Role
  readonly cluster: string
}

export interface GuardedChain {
  readonly chain: Chain
  readonly guards: readonly Guard[]
}

/** Chains with a filter that calls Purser. Where nothing is called so, the one cluster that all processors call is taken for it. */
export function guardedChains({ chains }: Setup): readonly GuardedChain[] {
  const named = chains.map(chain => ({ chain, guards: guardsOf(chain, isNamed) })).filter(({ guards }) => guards.length > 0)
  if (named.length > 0) return named
  const called = new Set(chains.flatMap(({ filters }) => filters.filter(isProcessor).map(clusterOf)))
  if (called.size !== 1) return []
  return chains.map(chain => ({ chain, guards: guardsOf(chain, isProcessor) })).filter(({ guards }) => guards.length > 0)
}

const guardsOf = ({ filters }: Chain, is: (filter: Filter) => boolean): Guard[] =>
  filters.filter(is).map(filter => ({ filter, role: roleOf(filter), cluster: clusterOf(filter) }))

const isProcessor = ({ type }: Filter): boolean => type === 'ExternalProcessor'

function isNamed(filter: Filter): boolean {
  if (filter.type !== 'ExternalProcessor' && filter.type !== 'ExtAuthz') return false
  const told = ['receiving_namespaces', 'forwarding_namespaces'].flatMap(list =>
    filter.config.at('metadata_options', list, 'untyped').texts(),
  )
  return [filter.name, clusterOf(filter)].some(name => name.toLowerCase().includes('purser')) || told.includes('purser')
}

function clusterOf({ config }: Filter): string {
  const service = config.at('grpc_service')
  return service.at('envoy_grpc', 'cluster_name').text() ?? service.at('google_grpc', 'target_uri').text() ?? ''
}

function roleOf({ type, config }: Filter): Role {
  if (type === 'ExtAuthz') return 'ask'
  if (config.at('observability_mode').on()) return 'settle'
  const mode = config.at('processing_mode')
  const blind = mode.at('response_header_mode').text() === 'SKIP' && (mode.at('response_body_mode').text() ?? 'NONE') === 'NONE'
  return blind && mode.at('request_header_mode').text() !== 'SKIP' ? 'reserve' : 'whole'
}
