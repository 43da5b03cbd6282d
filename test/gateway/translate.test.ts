// The shipped objects as Envoy Gateway itself translates them, offline: all accepted, and what they say arrives in Envoy's configuration.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { examine } from '../../src/doctor/doctor.ts'
import { type GatewayObject, gatewayClass, type ShippedFile, shipped, surroundings } from './objects.ts'
import { gatewayTool } from './tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'purser-translate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** As a cluster would have it; egctl asks for an address. */
const SERVICE: GatewayObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'purser', namespace: 'purser' },
  spec: { clusterIP: '10.0.0.9', ports: [{ name: 'grpc', port: 9002, targetPort: 9002 }] },
}

function translate(objects: readonly GatewayObject[]): { readonly text: string; readonly conditions: readonly Condition[] } {
  const file = join(folder, 'objects.yaml')
  writeFileSync(file, [gatewayClass(), ...surroundings(), SERVICE, ...objects].map(object => stringify(object)).join('---\n'))
  const args = ['x', 'translate', '--from', 'gateway-api', '--to', 'gateway-api,xds', '-f', file, '-o', 'yaml']
  const text = execFileSync(gatewayTool('egctl'), args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return { text, conditions: conditionsOf(parse(text)) }
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly message: string
}

function conditionsOf(value: unknown): Condition[] {
  if (typeof value !== 'object' || value === null) return []
  const own = 'conditions' in value && Array.isArray(value.conditions) ? (value.conditions as Condition[]) : []
  return [...own, ...Object.values(value).flatMap(conditionsOf)]
}

const withoutTimeouts = (object: GatewayObject): GatewayObject =>
  JSON.parse(JSON.stringify(object), (name, value: unknown) => (name === 'timeouts' ? undefined : value)) as GatewayObject

/** What ext-authz.yaml stands in the place of. */
const isReplaced = ({ kind, metadata }: GatewayObject): boolean =>
  kind === 'EnvoyExtensionPolicy' || (kind === 'ReferenceGrant' && metadata.name === 'llm-to-purser')

const ALL: readonly (readonly [string, readonly ShippedFile[], readonly string[]])[] = [
  [
    'with ext_proc',
    ['gateway.yaml', 'attach.yaml'],
    ['requestBodyMode: BUFFERED', 'responseBodyMode: STREAMED', 'maxRequestBytes: 33554432'],
  ],
  ['with the last door', ['gateway.yaml', 'attach.yaml', 'last-door.yaml'], ['name: envoy.filters.http.rbac/purser', 'exact: admitted']],
  ['with ext_authz', ['gateway.yaml', 'attach.yaml', 'ext-authz.yaml'], ['maxRequestBytes: 33554432', 'code: ServiceUnavailable']],
]

describe('egctl', () => {
  it.each(ALL)('accepts the shipped objects %s, and they arrive', (_, files, arrives) => {
    const objects = files.flatMap(file => shipped(file).filter(object => !(files.includes('ext-authz.yaml') && isReplaced(object))))
    const { text, conditions } = translate(objects)
    expect(conditions.length).toBeGreaterThan(8)
    expect(conditions.filter(({ status }) => status !== 'True')).toEqual([])
    for (const line of arrives) expect(text).toContain(line)
    // Access logs are not among these objects, and the last door is in one of them only.
    const wrong = examine(parse(text))?.findings.filter(({ rule }) => rule !== 'no-access-log' && rule !== 'no-last-door')
    expect(wrong).toEqual([])
  })

  it.each(['timeouts', 'no timeouts'])('cuts no answer of a route with %s', which => {
    const files = [...shipped('gateway.yaml'), ...shipped('attach.yaml')]
    const objects = which === 'timeouts' ? files.filter(({ kind }) => kind !== 'BackendTrafficPolicy') : files.map(withoutTimeouts)
    const { text } = translate(objects)
    const timeouts = [...text.matchAll(/hostRewriteLiteral:[\s\S]*?\btimeout: (\S+)/g)].map(([, timeout]) => timeout)
    expect(timeouts).toEqual(['0s', '0s'])
  })

  it('needs the ReferenceGrant: without it the policy is refused', () => {
    const objects = [...shipped('gateway.yaml'), ...shipped('attach.yaml')].filter(({ kind }) => kind !== 'ReferenceGrant')
    const refused = translate(objects).conditions.filter(({ status }) => status !== 'True')
    expect(refused.map(({ message }) => message).join()).toContain('not permitted by any ReferenceGrant')
  })
})
