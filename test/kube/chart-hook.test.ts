// What `helm test` asks of an installation, asked of a real `serve`: the script of the chart must pass where all is well, and nowhere else.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { freePort, startChild } from '../e2e/child.ts'
import { type Purser, startPurser } from '../e2e/purser.ts'
import { until } from '../e2e/until.ts'
import { certificateFiles } from '../envoy/certificate.ts'
import { CHART, ROOT } from './chart.ts'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-hook-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function serve(flags: readonly string[] = []): Promise<Purser> {
  const purser = await startPurser({ policies: folder, ledger: 'memory:', flags })
  onTestFinished(async () => {
    await purser.child.end('SIGKILL')
  })
  return purser
}

function ask(env: Readonly<Record<string, string>>): { status: number | null; ok: number; said: string } {
  const { status, stdout } = spawnSync(process.execPath, [join(CHART, 'files/test.mjs')], { encoding: 'utf8', env })
  return { status, ok: stdout.match(/^ok {6}/gm)?.length ?? 0, said: stdout }
}

function certificate(): ReturnType<typeof certificateFiles> {
  const files = certificateFiles()
  onTestFinished(() => files.remove())
  return files
}

it('passes where all is well', async () => {
  const { httpPort, grpcPort } = await serve()
  const HTTP_URL = `http://127.0.0.1:${httpPort}`
  expect(ask({ HTTP_URL, GRPC_URL: `http://127.0.0.1:${grpcPort}` })).toMatchObject({ status: 0, ok: 3 })
  expect(ask({ HTTP_URL }), 'where gRPC asks for a certificate').toMatchObject({ status: 0, ok: 2 })
})

it('passes over TLS, with the CA of the certificate alone', async () => {
  const [own, other] = [certificate(), certificate()]
  const { httpPort, grpcPort } = await serve(['--grpc-tls-cert', own.cert, '--grpc-tls-key', own.key])
  const urls = { HTTP_URL: `http://127.0.0.1:${httpPort}`, GRPC_URL: `https://localhost:${grpcPort}` }
  expect(ask({ ...urls, CA_FILE: own.cert })).toMatchObject({ status: 0, ok: 3 })
  expect(ask({ ...urls, CA_FILE: other.cert })).toMatchObject({
    status: 1,
    ok: 2,
    said: expect.stringContaining('self-signed certificate'),
  })
})

it('fails where nobody is', async () => {
  const [http, grpc] = [await freePort(), await freePort()]
  const asked = ask({ HTTP_URL: `http://127.0.0.1:${http}`, GRPC_URL: `http://127.0.0.1:${grpc}` })
  expect(asked).toMatchObject({ status: 1, ok: 0 })
  expect(asked.said.match(/^not ok .*ECONNREFUSED/gm), asked.said).toHaveLength(3)
})

it('fails where calls are not served', async () => {
  const [http, grpc] = [await freePort(), await freePort()]
  const kubeconfig = join(folder, 'kubeconfig')
  const cluster = { name: 'away', cluster: { server: `https://127.0.0.1:${await freePort()}` } }
  const context = { name: 'away', context: { cluster: 'away', user: 'nobody' } }
  const users = [{ name: 'nobody', user: { token: 'none' } }]
  writeFileSync(kubeconfig, JSON.stringify({ clusters: [cluster], contexts: [context], users, 'current-context': 'away' }))
  const args = ['--policies=kubernetes', '--ledger=memory:', `--grpc-listen=127.0.0.1:${grpc}`, `--http-listen=127.0.0.1:${http}`]
  const child = startChild('purser', join(ROOT, 'bin/purser'), ['serve', ...args], { KUBECONFIG: kubeconfig })
  onTestFinished(async () => {
    await child.end('SIGKILL')
  })
  const urls = { HTTP_URL: `http://127.0.0.1:${http}`, GRPC_URL: `http://127.0.0.1:${grpc}` }
  await until('the waiting for policies', 30_000, child, async () =>
    (await (await fetch(`${urls.HTTP_URL}/readyz`)).text()).startsWith('policies are not read yet'),
  )
  const { said, ...asked } = ask(urls)
  expect(asked).toEqual({ status: 1, ok: 1 })
  expect(said).toContain('503 policies are not read yet')
  expect(said).toContain('answers 2, not 1 (SERVING)')
})
