// The vendored protos, as text, against the list of all fields of Envoy's tag: names, numbers, labels and types must be the same.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadProtos, SERVICE_NAME } from '../../src/envoy/protos.ts'

const TAG = 'v1.40.0'
const PROTOS = join(import.meta.dirname, '../../protos')
const SCALARS = ['string', 'bytes', 'bool', 'uint32', 'int32', 'int64']

const listed = readFileSync(join(import.meta.dirname, `fields-${TAG}.txt`), 'utf8')
  .trim()
  .split('\n')
const names = new Set(listed.map(line => line.split(' ')[0] ?? ''))
const files = globSync('**/*.proto', { cwd: PROTOS })

/** The fields and enum values of one file in the form of the list. */
function fieldsOf(text: string): string[] {
  const path: { readonly kind: string; readonly name: string }[] = []
  const packageName = /^package ([\w.]+);/m.exec(text)?.[1] ?? ''
  const scope = () => [packageName, ...path.filter(({ kind }) => kind !== 'oneof').map(({ name }) => name)].join('.')
  const lines: string[] = []
  for (const line of text
    .replace(/\/\/.*$/gm, '')
    .split('\n')
    .map(each => each.trim())) {
    const opened = /^(message|enum|oneof|service) (\w+) \{$/.exec(line)
    const map = /^map<string, ([\w.]+)> (\w+) = (\d+);$/.exec(line)
    const field = /^(repeated )?([\w.]+) (\w+) = (\d+);$/.exec(line)
    const value = /^(\w+) = (\d+);$/.exec(line)
    if (opened !== null) path.push({ kind: opened[1] ?? '', name: opened[2] ?? '' })
    else if (line === '}') path.pop()
    else if (map !== null) {
      const entry = `${scope()}.${(map[2] ?? '').replace(/(^|_)(\w)/g, (_all, _dash, letter: string) => letter.toUpperCase())}Entry`
      lines.push(
        `${scope()} ${map[2]} = ${map[3]} repeated ${entry}`,
        `${entry} key = 1 optional string`,
        `${entry} value = 2 optional ${map[1]}`,
      )
    } else if (field !== null && line !== 'reserved 1;') {
      const oneof = path.at(-1)?.kind === 'oneof' ? ` in ${path.at(-1)?.name}` : ''
      lines.push(
        `${scope()} ${field[3]} = ${field[4]} ${field[1] === undefined ? 'optional' : 'repeated'} ${resolved(field[2] ?? '', scope())}${oneof}`,
      )
    } else if (value !== null) lines.push(`${scope()} ${value[1]} = ${value[2]}`)
  }
  return lines
}

/** A type's full name, looked for from the inside out, as protoc does. */
function resolved(type: string, scope: string): string {
  if (SCALARS.includes(type) || type.startsWith('google.')) return type
  for (let outer = scope; outer !== ''; outer = outer.slice(0, Math.max(0, outer.lastIndexOf('.')))) {
    if (names.has(`${outer}.${type}`)) return `${outer}.${type}`
  }
  return type
}

describe(`the vendored protos and Envoy ${TAG}`, () => {
  const lines = files.flatMap(file => fieldsOf(readFileSync(join(PROTOS, file), 'utf8')))

  it('has something to compare', () => {
    expect(files).toHaveLength(11)
    expect(lines.length).toBeGreaterThan(190)
    expect(listed.length).toBeGreaterThan(500)
    expect(lines.filter(line => line.startsWith('envoy.service.ext_proc.v3.ProcessingRequest '))).toHaveLength(10)
  })

  it('has the same name, number, label and type for every field', () => {
    const known = new Set(listed)
    expect(lines.filter(line => !known.has(line))).toEqual([])
  })

  it('finds a field that was moved', () => {
    const moved = readFileSync(join(PROTOS, 'envoy/config/core/v3/base.proto'), 'utf8').replace('raw_value = 3', 'raw_value = 4')
    const known = new Set(listed)
    expect(fieldsOf(moved).filter(line => !known.has(line))).toEqual(['envoy.config.core.v3.HeaderValue raw_value = 4 optional bytes'])
  })

  it('says in every file where it comes from', () => {
    for (const file of files) {
      const origin = file.startsWith('google/') ? `googleapis, ${file}` : `Envoy ${TAG}, api/${file}`
      expect(readFileSync(join(PROTOS, file), 'utf8')).toMatch(new RegExp(`^// Trimmed from ${origin} \\(Apache-2.0\\)`))
    }
  })

  it('loads, and skips what is newer', () => {
    const { Process } = loadProtos()[SERVICE_NAME] as unknown as { Process: { requestDeserialize(bytes: Buffer): object } }
    // Field 12 (a message) and field 200 (a number), which are not vendored, around an empty request_body.
    expect(Process.requestDeserialize(Buffer.from([0x62, 0x02, 0x08, 0x01, 0x22, 0x00, 0xc0, 0x0c, 0x07]))).toEqual({
      request: 'requestBody',
      requestBody: {},
    })
  })
})
