// What a real Envoy says of itself with each configuration that Purser ships, read by the doctor as a command.
import { execFileSync, spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { freePort, startChild } from './child.ts'
import type { EnvoyConfig } from './envoy.ts'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')
const SHIPPED = globSync('deploy/envoy/*.yaml', { cwd: ROOT }).sort()
const endings: (() => unknown)[] = []

afterEach(async () => {
  for (const ending of endings.splice(0).reverse()) await ending()
})

/** A real Envoy with this text on free ports; where its admin page is. */
async function admin(text: string): Promise<string> {
  const config = parse(text) as EnvoyConfig
  const port = await freePort()
  config.admin.address.socket_address.port_value = port
  for (const { address } of config.static_resources.listeners)
    address.socket_address = { address: '127.0.0.1', port_value: await freePort() }
  const binary = execFileSync(join(ROOT, 'scripts/envoy'), { encoding: 'utf8' }).trim()
  const args = ['--config-yaml', JSON.stringify(config), '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warn']
  const envoy = startChild('envoy', binary, args)
  endings.push(() => envoy.end('SIGTERM', 5_000))
  const url = `http://127.0.0.1:${port}`
  // Names of providers are not resolved here, so that it may never be ready; its configuration is complete before.
  await until('the admin page', 30_000, envoy, async () => (await (await fetch(`${url}/listeners`)).text()).includes('llm'))
  return url
}

function examined(url: string): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'bin/purser'), ['doctor', '--admin', url], { encoding: 'utf8' })
  return { status, text: stdout + stderr }
}

describe('a running Envoy', () => {
  it.each(SHIPPED)('is sound with %s', async file => {
    const { status, text } = examined(await admin(readFileSync(join(ROOT, file), 'utf8')))
    expect(text).toMatch(/^nothing is wrong \(1 listener/)
    expect(status).toBe(0)
  })

  it("is sound with the providers' keys, and what is wrong with it is found", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'purser-keys-'))
    endings.push(() => rmSync(folder, { recursive: true }))
    for (const name of ['openai', 'anthropic']) {
      const secret = { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret', name: `${name}-key` }
      const resources = [{ ...secret, generic_secret: { secret: { inline_string: 'sk-key' } } }]
      writeFileSync(join(folder, `${name}-key.yaml`), JSON.stringify({ resources }))
    }
    const shipped = readFileSync(join(ROOT, 'deploy/envoy/default.yaml'), 'utf8')
    const keys = shipped.replaceAll('#key ', '').replaceAll('/etc/purser', folder)
    expect(examined(await admin(keys)).text).toMatch(/^nothing is wrong/)
    const open = keys.replace('failure_mode_allow: false', 'failure_mode_allow: true').replaceAll('timeout: 0s,', '')
    const { status, text } = examined(await admin(open))
    expect(status).toBe(1)
    expect(text).toContain('failure_mode_allow is true')
    expect(text).toContain('timeout is not set, which means 15 s')
    expect(text).toContain('3 things wrong')
  })
})
