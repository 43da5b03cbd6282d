// The shipped configuration of plain Envoy as a patient: parsed, and hurt in one place at a time.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { type Examination, examine } from '../../src/doctor/doctor.ts'

// biome-ignore lint/suspicious/noExplicitAny: a configuration that tests hurt in any place has no type
export type Any = any

export const shippedText = (): string => readFileSync(join(import.meta.dirname, '../../deploy/envoy/default.yaml'), 'utf8')

export class Patient {
  readonly config: Any = parse(shippedText())

  get listener(): Any {
    return this.config.static_resources.listeners[0]
  }

  get manager(): Any {
    return this.listener.filter_chains[0].filters[0].typed_config
  }

  get filters(): Any[] {
    return this.manager.http_filters
  }

  get host(): Any {
    return this.manager.route_config.virtual_hosts[0]
  }

  get route(): Any {
    return this.host.routes[1]
  }

  /** The configuration of the filter with this short name. */
  filter(name: string): Any {
    return this.filters.find(filter => filter.name.endsWith(name)).typed_config
  }

  get processor(): Any {
    return this.filter('ext_proc')
  }

  get authorizer(): Any {
    return this.filter('ext_authz')
  }

  get settler(): Any {
    return this.filter('settles')
  }

  get purser(): Any {
    return this.#cluster('purser')
  }

  get openai(): Any {
    return this.#cluster('openai')
  }

  #cluster(name: string): Any {
    return this.config.static_resources.clusters.find((cluster: Any) => cluster.name === name)
  }

  /** Puts a filter before (or, negative, counted from the end of) the others. */
  insert(position: number, name: string, type: string, config: object = {}): void {
    this.filters.splice(position, 0, {
      name,
      typed_config: { '@type': `type.googleapis.com/envoy.extensions.filters.http.${type}`, ...config },
    })
  }

  /** Takes the last door out. */
  withoutDoor(): void {
    this.manager.http_filters = this.filters.filter(filter => !filter.name.endsWith('rbac'))
  }

  /** The log by which Purser learns what it does not see. */
  withAccessLog(): void {
    const type = 'type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig'
    this.manager.access_log = [{ name: 'envoy.access_loggers.http_grpc', typed_config: { '@type': type } }]
  }

  /** The wiring in which one filter judges and another settles. */
  split(): void {
    const settling = structuredClone(this.processor)
    Object.assign(this.processor.processing_mode, { response_header_mode: 'SKIP', response_body_mode: 'NONE' })
    delete this.processor.response_attributes
    Object.assign(settling, { observability_mode: true, failure_mode_allow: true })
    Object.assign(settling.processing_mode, { request_header_mode: 'SKIP', request_body_mode: 'NONE' })
    settling.metadata_options = { forwarding_namespaces: { untyped: ['purser'] } }
    this.filters.splice(1, 0, { name: 'purser-settles', typed_config: settling })
    this.withAccessLog()
  }

  /** The wiring in which ext_authz judges. */
  ask(): void {
    this.withoutDoor()
    this.filters.shift()
    this.insert(0, 'envoy.filters.http.ext_authz', 'ext_authz.v3.ExtAuthz', {
      grpc_service: { envoy_grpc: { cluster_name: 'purser' }, timeout: '2s' },
      with_request_body: { max_request_bytes: 33_554_432, pack_as_bytes: true },
    })
    for (const route of this.host.routes) delete route.typed_per_filter_config
    this.withAccessLog()
  }

  examine(): Examination {
    const examination = examine(this.config)
    if (examination === null) throw new Error('the patient is not taken for a configuration')
    return examination
  }
}
