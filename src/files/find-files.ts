// Which files a path holds: YAML and JSON, in folders below it too, nothing hidden. Follows links, as a mounted ConfigMap needs it.
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { POLICY_FILE_BYTES_MAX, POLICY_FILES_MAX } from '../limits.ts'
import { fileProblem, type Problem } from './problem.ts'

export interface FoundFile {
  readonly path: string
  readonly mtimeMs: number
  /** Changes whenever the file may have changed. */
  readonly print: string
}

export interface FoundFiles {
  /** In the order of their paths. */
  readonly files: readonly FoundFile[]
  readonly folders: readonly string[]
  readonly problems: readonly Problem[]
}

/** Finds the files under `path`, or `path` itself where it is a file. What cannot be looked at is a problem, never left out. */
export async function findFiles(path: string): Promise<FoundFiles> {
  const found = { files: [] as FoundFile[], folders: [] as string[], problems: [] as Problem[], visited: new Set<string>() }
  await look(path, true, found)
  found.files.sort((a, b) => (a.path < b.path ? -1 : 1))
  return found
}

interface Finding {
  readonly files: FoundFile[]
  readonly folders: string[]
  readonly problems: Problem[]
  readonly visited: Set<string>
}

async function look(path: string, named: boolean, found: Finding): Promise<void> {
  try {
    const seen = await stat(path)
    if (seen.isDirectory()) return await lookInside(path, found)
    if (!seen.isFile()) return named ? fault(found, path, 'is neither a file nor a folder') : undefined
    if (!named && !/\.(ya?ml|json)$/i.test(path)) return
    // Rather a save that failed half-way than a wish: a set without its objects would let everything pass.
    if (seen.size === 0) return fault(found, path, 'is empty; allowed: objects, or at least a comment')
    if (seen.size > POLICY_FILE_BYTES_MAX) return fault(found, path, `has ${seen.size} bytes; allowed: ${POLICY_FILE_BYTES_MAX}`)
    if (found.files.length >= POLICY_FILES_MAX) return fault(found, path, `is one file too many; allowed: ${POLICY_FILES_MAX}`)
    found.files.push({ path, mtimeMs: seen.mtimeMs, print: `${path}:${seen.mtimeMs}:${seen.ctimeMs}:${seen.size}:${seen.ino}` })
  } catch (error) {
    fault(found, path, `cannot be read: ${reasonOf(error)}`)
  }
}

async function lookInside(folder: string, found: Finding): Promise<void> {
  const real = await realpath(folder)
  if (found.visited.has(real)) return
  found.visited.add(real)
  found.folders.push(folder)
  for (const name of (await readdir(folder)).sort()) if (!name.startsWith('.')) await look(join(folder, name), false, found)
}

const fault = (found: Finding, path: string, text: string): void => {
  found.problems.push(fileProblem(path, text))
}

/** What the system says of a failed look, without the path, which the problem names already. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : error instanceof Error ? error.message : String(error)
