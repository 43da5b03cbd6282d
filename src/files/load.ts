// Loading: files to the parts of a policy set, all or nothing: one problem anywhere, and there are no parts.
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { AccessKey, Policy, PriceList } from '../core/policy.ts'
import type { PolicySetParts } from '../core/policy-set.ts'
import { type CheckContext, checkObject, problemAt } from './check-object.ts'
import { compileAccessKey, compileBudgetPolicy, compileKeyPolicy, compilePriceList } from './compile-objects.ts'
import { type FoundFile, fileProblem, findFiles, reasonOf } from './find-files.ts'
import type { AcceptedObject } from './objects.ts'
import { type Problem, problemLines } from './problem.ts'
import { warningsOf } from './warnings.ts'
import { readDocuments, type SourceDocument } from './yaml-objects.ts'

export interface LoadOptions extends CheckContext {
  /** For keys that have expired. */
  readonly nowMs: number
}

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
export interface PlacedObject {
  readonly object: AcceptedObject
  /** Kind, namespace and name. */
  readonly title: string
  readonly mtimeMs: number
  readonly place: string
}

/** Loads every object of the files and folders `paths`. Gives other work its turn between objects. */
export async function loadObjects(paths: readonly string[], options: LoadOptions): Promise<LoadOutcome> {
  const found = await Promise.all(paths.map(findFiles))
  const files = found.flatMap(one => one.files)
  const problems: Problem[] = found.flatMap(one => one.problems)
  const placed: PlacedObject[] = []
  const across = new AcrossObjects(problems)
  for (const file of files.filter((one, index) => files.findIndex(other => other.path === one.path) === index)) {
    for (const item of await documentsOf(file, problems)) {
      await setImmediate()
      const checked = checkObject(item, options)
      if (checked.kind === 'refused') problems.push(...checked.problems)
      else placed.push(across.take(item, { ...checked, mtimeMs: file.mtimeMs, place: `${file.path}:${item.lineOf([])}` }))
    }
  }
  const lines = problemLines(problems)
  return {
    parts: lines.length === 0 ? partsOf(placed) : null,
    objects: placed.length,
    problems: lines,
    warnings: warningsOf(placed, options),
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

  #report(document: SourceDocument, placed: PlacedObject, path: readonly (string | number)[], text: string): void {
    this.#problems.push(problemAt(document, placed.title, path, text))
  }
}

function partsOf(placed: readonly PlacedObject[]): PolicySetParts {
  const policies: Policy[] = []
  const accessKeys: AccessKey[] = []
  const priceLists: PriceList[] = []
  const namespaces = new Map<string, ReadonlyMap<string, string>>()
  for (const { object, mtimeMs } of placed) {
    switch (object.kind) {
      case 'BudgetPolicy':
      case 'ClusterBudgetPolicy':
        policies.push(compileBudgetPolicy(object.kind, object, object.spec, mtimeMs))
        break
      case 'AccessKey': {
        accessKeys.push(compileAccessKey(object, object.spec))
        const own = compileKeyPolicy(object, object.spec, mtimeMs)
        if (own !== null) policies.push(own)
        break
      }
      case 'ModelPriceList':
        priceLists.push(compilePriceList(object, object.spec))
        break
      case 'Namespace':
        namespaces.set(object.name, object.labels)
    }
  }
  return { policies, accessKeys, priceLists, namespaces }
}
