// The programs of a real Kubernetes, by name: found or built by scripts/kube-tools. A program that cannot be had is a failure, never a skipped test.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const SCRIPT = join(import.meta.dirname, '../../scripts/kube-tools')
const known = new Map<string, string>()

/** The paths of these programs, in this order. A first build takes minutes and says so on stderr. */
export function kubeTools(...names: readonly string[]): readonly string[] {
  const missing = names.filter(name => !known.has(name))
  if (missing.length > 0) {
    const { status, stdout, error } = spawnSync(SCRIPT, missing, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
    if (status !== 0) throw new Error(`scripts/kube-tools ${missing.join(' ')} failed (${error?.message ?? status}): its words are above`)
    const paths = stdout.trim().split('\n')
    missing.forEach((name, index) => {
      const path = paths[index]
      if (path === undefined) throw new Error(`scripts/kube-tools says no path of ${name}`)
      known.set(name, path)
    })
  }
  return names.map(name => known.get(name) ?? '')
}
