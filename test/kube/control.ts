// A real `purser control` against an API server, as a pod with the shipped ServiceAccount has it; and spending on the ledger that it reads.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { budgetKey, type Unit, unitPlaces } from '../../src/core/budget.ts'
import { parseDecimalUp } from '../../src/core/money.ts'
import type { Line } from '../../src/core/reservation.ts'
import { type WindowSpec, windowAt } from '../../src/core/window.ts'
import type { Ledger } from '../../src/ports.ts'
import { reserveMove, settleMove, version } from '../contract/moves.ts'
import { type Child, freePort, startChild } from '../e2e/child.ts'
import { messageOf } from './api-server.ts'
import type { Client } from './client.ts'

const BIN = join(import.meta.dirname, '../../bin/purser')

export interface Control {
  readonly child: Child
  readonly httpPort: number
  metrics(): Promise<string>
  leads(): Promise<boolean>
}

/** Starts one, and resolves when it has read everything. */
export async function startControl(kubeconfig: string, ledger: string, flags: readonly string[] = []): Promise<Control> {
  const httpPort = await freePort()
  const args = ['control', '--ledger', ledger, '--http-listen', `127.0.0.1:${httpPort}`, '--lease-namespace', 'purser', ...flags]
  const child = startChild(`control:${httpPort}`, BIN, args, { KUBECONFIG: kubeconfig })
  try {
    await child.line(line => line.includes('"msg":"ready"'), 60_000)
  } catch (error) {
    await child.end('SIGKILL')
    throw error
  }
  const metrics = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text()
  const leads = async (): Promise<boolean> => /^leader_election_master_status\{.*\} 1$/m.test(await metrics())
  return { child, httpPort, metrics, leads }
}

/** A kubeconfig in `file` with a token of a ServiceAccount of the namespace purser, for the server at `url`. */
export async function accountKubeconfig(
  admin: Client,
  account: string,
  { url, caFile, file }: { readonly url: string; readonly caFile: string | null; readonly file: string },
): Promise<string> {
  const path = `/api/v1/namespaces/purser/serviceaccounts/${account}/token`
  const answer = await admin.post(path, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} })
  if (answer.status !== 201) throw new Error(`no token for ${account}: ${messageOf(answer)}`)
  const { token } = (answer.body as { status: { token: string } }).status
  // The client library takes plain HTTP only where nothing is verified.
  const cluster = caFile === null ? { server: url, 'insecure-skip-tls-verify': true } : { server: url, 'certificate-authority': caFile }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: account, user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: account } }],
    'current-context': 'test',
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

export interface Budget {
  readonly namespace: string
  readonly policy: string
  readonly limit: string
  readonly unit: Unit
  readonly window: WindowSpec
  readonly partition?: readonly string[]
}

const amountOf = (text: string, unit: Unit): bigint => parseDecimalUp(text, unitPlaces(unit)) ?? 0n

/** Reserves an amount of a budget, soft so that nothing refuses it, and settles it as `spent`; null leaves it open. */
export async function spend(ledger: Ledger, budget: Budget, limit: string, reserved: string, spent: string | null): Promise<void> {
  const { namespace, policy, limit: name, unit, window, partition = [] } = budget
  const key = budgetKey({ scope: 'BudgetPolicy', namespace, policy, limit: name, unit, window, partition })
  const amount = amountOf(reserved, unit)
  const now = Date.now()
  const line: Line = {
    ...{ key, unit, amount, floor: amount, hard: false, version: version(1) },
    ...{ window: windowAt(window, now), limit: amountOf(limit, unit) },
  }
  const move = reserveMove(now, [line])
  const outcome = await ledger.reserve(move)
  if (outcome.kind !== 'reserved') throw new Error(`the reserve was ${JSON.stringify(outcome)}`)
  if (spent === null) return
  const settled = await ledger.settle(settleMove(move, [line], [amountOf(spent, unit)]))
  if (!settled.kind.startsWith('settled')) throw new Error(`the settlement was ${JSON.stringify(settled)}`)
}
