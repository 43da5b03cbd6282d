// The door on a Unix socket: who may come in, and what it does with what lies in its place.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { credentials } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Door, openDoor } from '../../src/envoy/server.ts'
import { CLOCK, Envoy, House, head, KeptLog } from './peer.ts'

let folder = ''
let path = ''
const closing: (() => void)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-socket-'))
  path = join(folder, 'purser.sock')
})

afterEach(() => {
  for (const close of closing.splice(0)) close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(): Promise<Door> {
  const factory = {
    open: () => {
      throw new Error('none is opened here')
    },
    resume: () => null,
    witness: () => {},
    refused: () => {},
    admitting: () => true,
  }
  const door = await openDoor(factory, { listen: `unix:${path}`, tls: null, clock: CLOCK, log: new KeptLog() })
  closing.push(() => door.stop())
  return door
}

describe('a door on a Unix socket', () => {
  it('serves, is open to its group and to nobody else, and takes its file along when it stops', async () => {
    const house = await House.open(null, `unix:${path}`)
    const envoy = new Envoy(`unix:${path}`, credentials.createInsecure())
    const stream = envoy.open()
    expect((await stream.ask(head()))?.response).toBe('requestHeaders')
    expect(statSync(path).mode & 0o777).toBe(0o660)
    stream.cancel()
    envoy.close()
    house.door.stop()
    expect(existsSync(path)).toBe(false)
  })

  it('takes the place of a socket that a killed process left', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    expect(spawnSync(process.execPath, ['-e', script]).signal).toBe('SIGKILL')
    expect(statSync(path).isSocket()).toBe(true)
    await open()
  })

  it('leaves a socket alone at which somebody listens', async () => {
    const other = createServer()
    await new Promise<void>(resolve => void other.listen(path, resolve))
    closing.push(() => void other.close())
    await expect(open()).rejects.toThrow(`cannot listen on 'unix:${path}' for gRPC: another process listens there`)
    expect(statSync(path).isSocket()).toBe(true)
  })

  it('leaves a file alone that is no socket', async () => {
    writeFileSync(path, 'letters')
    await expect(open()).rejects.toThrow('a file is there that is no socket')
    expect(existsSync(path)).toBe(true)
  })

  it('names the folder that is missing', async () => {
    path = join(folder, 'nowhere', 'purser.sock')
    await expect(open()).rejects.toThrow(`cannot listen on 'unix:${path}' for gRPC`)
  })
})
