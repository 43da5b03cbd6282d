// `purser doctor` as a command: what it takes, what it says, and its exit code.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { doctor } from '../../src/cli/doctor.ts'
import { Patient, shippedText } from '../doctor/patient.ts'

let folder = ''
let said = ''
const print = (text: string): number => {
  said += text
  return 0
}
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-doctor-'))
  said = ''
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('purser doctor', () => {
  it('ends with 0 where nothing is wrong, in YAML or JSON', async () => {
    expect(await doctor([file('envoy.yaml', shippedText())], print)).toBe(0)
    expect(await doctor([file('envoy.json', JSON.stringify(new Patient().config))], print)).toBe(0)
    expect(said).toBe('nothing is wrong (1 listener, 2 routes; one filter judges and meters)\n'.repeat(2))
  })

  it('ends with 1 where something is wrong, and with 0 for a note', async () => {
    const patient = new Patient()
    delete patient.processor.status_on_error
    expect(await doctor([file('envoy.yaml', stringify(patient.config))], print)).toBe(0)
    expect(said).toContain('note   listener llm')
    patient.processor.failure_mode_allow = true
    expect(await doctor([file('envoy.yaml', stringify(patient.config))], print)).toBe(1)
    expect(said).toContain('Fix: failure_mode_allow: false')
  })

  it('asks a running proxy', async () => {
    const dump = { configs: [{ static_listeners: [{ listener: new Patient().listener }] }, { static_clusters: [] }] }
    const server = await serving(path => (path === '/config_dump' ? JSON.stringify(dump) : null))
    const { port } = server.address() as AddressInfo
    expect(await doctor(['--admin', `http://127.0.0.1:${port}`], print)).toBe(1)
    expect(said).toContain('it calls the cluster purser, which does not exist')
    server.close()
    await expect(doctor(['--admin', `http://127.0.0.1:${port}`], print)).rejects.toThrow(`cannot read http://127.0.0.1:${port}/config_dump`)
  })

  it.each<[string, readonly string[], RegExp]>([
    ['nothing', [], /one FILE, or --admin URL/],
    ['two files', ['a', 'b'], /one FILE, or --admin URL/],
    ['both', ['a', '--admin', 'http://x'], /one FILE, or --admin URL/],
    ['no URL', ['--admin', '127.0.0.1:9901'], /a URL, for instance/],
    ['a flag that is none', ['--json'], /--json/],
    ['no file', ['/nowhere/envoy.yaml'], /cannot read \/nowhere\/envoy.yaml/],
  ])('refuses %s in a sentence', async (_, args, message) => {
    await expect(doctor(args, print)).rejects.toThrow(message)
  })

  it.each(['', 'a: [', '{"a":', 'hello: world'])('refuses a file that is no configuration: %j', async text => {
    await expect(doctor([file('envoy.yaml', text)], print)).rejects.toThrow(/envoy\.yaml/)
  })
})

async function serving(answer: (path: string) => string | null): Promise<Server> {
  const server = createServer((request, response) => {
    const body = answer(request.url ?? '')
    response.writeHead(body === null ? 404 : 200).end(body ?? '')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}
