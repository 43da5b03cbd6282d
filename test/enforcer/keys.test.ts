// Keys of one owner: two hashes of a key that is rotated, and several keys under one label, count against the same limits.
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/enforcer/identify.ts'
import { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import { request } from './requests.ts'
import { NOW, openWorld, type World } from './world.ts'

const key = (letter: string): string => `psk_${letter.repeat(43)}`
const hash = (letter: string): string => sha256(key(letter))

const KEYS = `
apiVersion: purser.dev/v1alpha1
kind: AccessKey
metadata: {name: rotated, labels: {owner: ada}}
spec:
  keyHashes: ['${hash('a')}', '${hash('b')}']
  expiresAt: '${new Date(NOW + 60_000).toISOString()}'
  reservation: {maxPerRequest: '0.02'}
  limits: [{name: own, unit: Requests, amount: "3", window: {lifetime: {}}}]
---
apiVersion: purser.dev/v1alpha1
kind: AccessKey
metadata: {name: second, labels: {owner: ada}}
spec: {keyHashes: ['${hash('c')}']}
---
apiVersion: purser.dev/v1alpha1
kind: AccessKey
metadata: {name: stranger}
spec: {keyHashes: ['${hash('d')}']}
---
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: ada}
spec:
  match: {accessKeySelector: {matchLabels: {owner: ada}}}
  limits: [{name: together, unit: Requests, amount: "5", window: {lifetime: {}}}]
`

async function ask({ enforcer }: World, letter: string, maxTokens = 5): Promise<string> {
  const exchange = new Lifecycle(enforcer)
  const head = exchange.requestHeaders(request({ headers: { 'x-api-key': key(letter) } }))
  if (head.kind === 'refuse') return head.refusal.reason
  if (head.kind !== 'read-body') return head.kind
  const body = JSON.stringify({ model: 'gpt-4o', messages: [], max_tokens: maxTokens })
  const verdict = await exchange.requestBody(Buffer.from(body))
  // As a proxy that sent it on and then went away: charged.
  exchange.verdictWritten()
  exchange.closed(false)
  await enforcer.settler.drain(1_000)
  return verdict.kind === 'refuse' ? verdict.refusal.reason : verdict.kind
}

describe('keys of one owner', () => {
  it('share a limit under two hashes, and another under one label', async () => {
    const world = await openWorld(KEYS)
    expect([await ask(world, 'a'), await ask(world, 'b'), await ask(world, 'a')]).toEqual(['admit', 'admit', 'admit'])
    expect(await ask(world, 'b')).toBe('exhausted')
    expect([await ask(world, 'c'), await ask(world, 'c'), await ask(world, 'c')]).toEqual(['admit', 'admit', 'exhausted'])
    expect(await ask(world, 'd')).toBe('pass')
    expect([(await world.balance('own')).spent, (await world.balance('together')).spent]).toEqual([3n, 5n])
  })

  it('have caps of their own, and end at their instant', async () => {
    const world = await openWorld(KEYS)
    expect([await ask(world, 'a', 5_000), await ask(world, 'c', 5_000)]).toEqual(['over-per-request', 'admit'])
    world.step(59_999)
    expect(await ask(world, 'a')).toBe('admit')
    world.step(1)
    expect([await ask(world, 'a'), await ask(world, 'b'), await ask(world, 'c')]).toEqual(['key-expired', 'key-expired', 'admit'])
  })
})
