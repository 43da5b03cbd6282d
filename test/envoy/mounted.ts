// A folder of PEM files as Kubernetes mounts a Secret: the names are links through `..data`, which is moved to a new folder as one step.
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Mounted {
  readonly path: string
  /** Replaces all files at once. */
  swap(files: Readonly<Record<string, string | Buffer>>): void
  remove(): void
}

/** Mounts `files`; later swaps bring the same names. */
export function mounted(files: Readonly<Record<string, string | Buffer>>): Mounted {
  const path = mkdtempSync(join(tmpdir(), 'purser-mounted-'))
  let version = 0
  const swap: Mounted['swap'] = next => {
    const [folder, old] = [`..${++version}`, `..${version - 1}`]
    mkdirSync(join(path, folder))
    for (const [name, content] of Object.entries(next)) writeFileSync(join(path, folder, name), content)
    symlinkSync(folder, join(path, '..data_tmp'))
    renameSync(join(path, '..data_tmp'), join(path, '..data'))
    rmSync(join(path, old), { recursive: true, force: true })
  }
  swap(files)
  for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(path, name))
  return { path, swap, remove: () => rmSync(path, { recursive: true, force: true }) }
}
