// Loading: files to the parts of a policy set, all or nothing: one problem anywhere, and there are no parts.
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { PolicySetParts } from '../core/policy-set.ts'
import { checkObject } from '../objects/check-object.ts'
import type { Path } from '../objects/finding.ts'
import { partsOf, type VersionedObject } from '../objects/parts.ts'
import { type WarnOptions, warningsOf } from '../objects/warnings.ts'
import { type FoundFile, findFiles, reasonOf } from './find-files.ts'
import { fileProblem, type Problem, problemAt, problemLines } from './problem.ts'
import { readDocuments, type SourceDocument } from './yaml-objects.ts'

export interface LoadOutcome {
  /** Null where there are problems. */
  readonly parts: PolicySetParts | null
  readonly objects: number
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
  /** The folders that were looked into, for watching. */
  readonly folders: readonly string[]
  /** The same for the same content, as far as the file system tells. */
  readonly print: string
}

/** An accepted object and where it stands. */
interface PlacedObject extends VersionedObject {
  /** Kind, namespace and name. */
  readonly title: string
  readonly place: string
}

/** Loads every object of the files and folders `paths`. Gives other work its turn between objects. */
export async function loadObjects(paths: readonly string[], options: WarnOptions): Promise<LoadOutcome> {
  const found = await Promise.all(paths.map(findFiles))
  const files = found.flatMap(one => one.files)
  const problems: Problem[] = found.flatMap(one => one.problems)
  const placed: PlacedObject[] = []
  const across = new AcrossObjects(problems)
  for (const file of files.filter((one, index) => files.findIndex(other => other.path === one.path) === index)) {
    for (const item of await documentsOf(file, problems)) {
      await setImmediate()
      const checked = checkObject(item.value, options, item.writtenAt)
      if (checked.kind === 'refused') {
        const title = checked.title ?? `document ${item.number}`
        problems.push(...checked.findings.map(({ path, text }) => problemAt(item, title, path, text)))
        continue
      }
      const version = { createdMs: 0, generation: Math.floor(file.mtimeMs), grantMs: 0 }
      placed.push(across.take(item, { ...checked, version, place: `${file.path}:${item.lineOf([])}` }))
    }
  }
  const lines = problemLines(problems)
  return {
    parts: lines.length === 0 ? partsOf(placed) : null,
    objects: placed.length,
    problems: lines,
    warnings: warningsOf(placed, options).map(({ of, text }) => `${of.place}: ${of.title}: ${text}`),
    folders: found.flatMap(one => one.folders),
    print: printOf(found),
  }
}

/** What {@link LoadOutcome.print} would be now. */
export async function printNow(paths: readonly string[]): Promise<string> {
  return printOf(await Promise.all(paths.map(findFiles)))
}

const printOf = (found: readonly Awaited<ReturnType<typeof findFiles>>[]): string =>
  found.flatMap(one => [...one.files.map(file => file.print), ...one.folders, ...problemLines(one.problems)]).join('\n')

async function documentsOf(file: FoundFile, problems: Problem[]): Promise<readonly SourceDocument[]> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file.path))
  } catch (error) {
    problems.push(fileProblem(file.path, error instanceof TypeError ? 'is not UTF-8 text' : `cannot be read: ${reasonOf(error)}`))
    return []
  }
  const documents: SourceDocument[] = []
  for (const read of readDocuments(file.path, text)) {
    await setImmediate()
    if (read.kind === 'document') documents.push(read.document)
    else problems.push({ file: file.path, line: read.line, object: `document ${read.number}`, field: '(syntax)', text: read.why })
  }
  return documents
}

/** What must hold across all objects: each name once, each key hash once. */
class AcrossObjects {
  readonly #titles = new Map<string, string>()
  readonly #hashes = new Map<string, string>()
  readonly #problems: Problem[]

  constructor(problems: Problem[]) {
    this.#problems = problems
  }

  take(document: SourceDocument, placed: PlacedObject): PlacedObject {
    const before = this.#titles.get(placed.title)
    if (before === undefined) this.#titles.set(placed.title, placed.place)
    else this.#report(document, placed, ['metadata', 'name'], `is there twice, first at ${before}; allowed: each object once`)
    if (placed.object.kind !== 'AccessKey') return placed
    for (const [index, hash] of placed.object.spec.keyHashes.entries()) {
      const holder = this.#hashes.get(hash)
      if (holder === undefined) this.#hashes.set(hash, `${placed.title} (${placed.place})`)
      else this.#report(document, placed, ['spec', 'keyHashes', index], `is held by ${holder} already; allowed: each hash once`)
    }
    return placed
  }

  #report(document: SourceDocument, placed: PlacedObject, path: Path, text: string): void {
    this.#problems.push(problemAt(document, placed.title, path, text))
  }
}
