// One API server for the whole run, told to every test file as `inject('kube')`. Files that harm their server start one of their own.
import type { TestProject } from 'vitest/node'
import { startApiServer } from './api-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    readonly kube: { readonly url: string; readonly caFile: string; readonly kubeconfig: string; readonly token: string }
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startApiServer()
  const { url, caFile, kubeconfig, token } = server
  project.provide('kube', { url, caFile, kubeconfig, token })
  return () => server.stop()
}
