// A folder of YAML as a source of policies: watched, and changed as a whole or not at all; a faulty change keeps the last good set.
import { type FSWatcher, watch } from 'node:fs'
import { PartitionRegistry } from '../core/partition.ts'
import type { PolicySet } from '../core/policy.ts'
import { compilePolicySet, type PolicySetParts } from '../core/policy-set.ts'
import { restartedLimits } from '../objects/restarts.ts'
import { policySetOptions } from '../objects/set-options.ts'
import type { PolicyChange, PolicySource } from '../ports.ts'
import { type LoadOutcome, loadObjects, printNow } from './load.ts'

export interface FolderOptions {
  readonly folder: string
  /** Request headers that policies may select by. */
  readonly trustedHeaders: readonly string[]
  /** The namespace of objects that name none. Default: `default`. */
  readonly defaultNamespace?: string
  /** For how long nothing may change before changes are read, in ms. Default: 100. */
  readonly settleMs?: number
  /** How often the folder is looked at although nothing was heard of a change, in ms. Default: 10,000. */
  readonly rescanMs?: number
}

export interface FolderPolicySource extends PolicySource {
  /** How many objects the current set was made of, and what is doubtful about them. */
  readonly loaded: { readonly objects: number; readonly warnings: readonly string[] }
  /** The partitions seen, which outlive every set: tell it at start what the ledger knows. */
  readonly partitions: PartitionRegistry
  /** Looks at the folder now; resolves when what it found is in force or refused. */
  rescan(): Promise<void>
}

/** What is wrong with the objects of a folder, line by line. */
export class PolicyProblems extends Error {
  override readonly name = 'PolicyProblems'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** Loads the folder and watches it. Throws {@link PolicyProblems} where the first load is not valid. */
export async function openPolicyFolder(options: FolderOptions): Promise<FolderPolicySource> {
  const source = new WatchedFolder(options)
  await source.open()
  return source
}

const READS_MAX = 3
/** A folder that never comes to rest is read nevertheless. */
const LOOKS_MAX = 20

class WatchedFolder implements FolderPolicySource {
  readonly partitions = new PartitionRegistry()
  readonly #setOptions = policySetOptions(this.partitions)
  loaded: FolderPolicySource['loaded'] = { objects: 0, warnings: [] }
  readonly #options: Required<FolderOptions>
  readonly #listeners: ((change: PolicyChange) => void)[] = []
  readonly #watchers = new Map<string, FSWatcher>()
  #set: PolicySet | null = null
  #print = ''
  #scanning: Promise<void> | null = null
  #settling: NodeJS.Timeout | null = null
  #rescanning: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: FolderOptions) {
    this.#options = { defaultNamespace: 'default', settleMs: 100, rescanMs: 10_000, ...options }
  }

  async open(): Promise<void> {
    const outcome = await this.#read()
    if (outcome.parts === null) throw new PolicyProblems(outcome.problems)
    this.#accept(outcome, outcome.parts)
    this.#watch(outcome.folders)
    this.#rescanning = setInterval(() => this.#wake(), this.#options.rescanMs).unref()
    // What changed between reading and watching was heard by nobody.
    this.#wake()
  }

  current(): PolicySet {
    if (this.#set === null) throw new Error('the folder is open')
    return this.#set
  }

  onChange(listener: (change: PolicyChange) => void): void {
    this.#listeners.push(listener)
  }

  rescan(): Promise<void> {
    const next = (this.#scanning ?? Promise.resolve()).then(() => this.#scan())
    this.#scanning = next
    return next
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#settling !== null) clearTimeout(this.#settling)
    if (this.#rescanning !== null) clearInterval(this.#rescanning)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
    await this.#scanning
  }

  /** Reads the folder once it has come to rest: a file that is still being written may look whole, and mean less than it will. */
  #wake(lastLook: string | null = null, looks = 0): void {
    if (this.#closed || (this.#settling !== null && lastLook === null)) return
    this.#settling = setTimeout(async () => {
      const look = await printNow([this.#options.folder])
      if (look !== this.#print && look !== lastLook && looks < LOOKS_MAX) return this.#wake(look, looks + 1)
      this.#settling = null
      await this.rescan()
    }, this.#options.settleMs).unref()
  }

  async #scan(): Promise<void> {
    if (this.#closed || (await printNow([this.#options.folder])) === this.#print) return
    const outcome = await this.#read()
    if (this.#closed) return
    this.#watch(outcome.folders)
    if (outcome.parts === null) return this.#tell({ kind: 'refused', problems: outcome.problems })
    const before = this.current().declared()
    this.#accept(outcome, outcome.parts)
    const { objects, warnings } = this.loaded
    this.#tell({ kind: 'accepted', objects, warnings: [...warnings, ...restartedLimits(before, this.current().declared())] })
  }

  /** Reads until nothing changed meanwhile, so that a set is never half of one state and half of the next. */
  async #read(): Promise<LoadOutcome> {
    const { folder, trustedHeaders, defaultNamespace } = this.#options
    const trusted = trustedHeaders.map(header => header.toLowerCase())
    for (let reads = 1; ; reads += 1) {
      const outcome = await loadObjects([folder], { trustedHeaders: trusted, defaultNamespace, nowMs: Date.now() })
      if (reads < READS_MAX && (await printNow([folder])) !== outcome.print) continue
      this.#print = outcome.print
      return outcome
    }
  }

  #accept({ objects, warnings }: LoadOutcome, parts: PolicySetParts): void {
    this.#setOptions.grants.replace(parts.grants, Date.now())
    this.#set = compilePolicySet(parts, this.#setOptions)
    this.partitions.retain(this.#set.declared().map(limit => limit.key))
    this.loaded = { objects, warnings }
  }

  #watch(folders: readonly string[]): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.includes(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watchOne(folder)
  }

  #watchOne(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#wake())
      // A watcher that fails is only the quick way: the rescan finds every change.
      watcher.on('error', () => this.#forget(folder, watcher))
      this.#watchers.set(folder, watcher)
    } catch {
      this.#wake()
    }
  }

  #forget(folder: string, watcher: FSWatcher): void {
    watcher.close()
    if (this.#watchers.get(folder) === watcher) this.#watchers.delete(folder)
  }

  #tell(change: PolicyChange): void {
    for (const listener of this.#listeners) listener(change)
  }
}
