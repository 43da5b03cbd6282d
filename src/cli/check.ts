// `check PATH…`: says everything that is wrong with policy objects, or how many are valid. Changes nothing, talks to no ledger.

export const CHECK_HELP = `purser check [--trusted-headers NAMES] [--default-namespace NAME] PATH…

Checks policy objects in files and folders. Each problem is one line: file:line: object: field: what is wrong, what is allowed.
Exit code 0 where all are valid, 1 where one is not, 2 without a path.
`

/** What was found under the paths: problems and warnings as lines, and how many objects there are. */
export interface CheckedPaths {
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
  readonly objects: number
}

export interface CheckOptions {
  /** Reads and checks every object of the files and folders. */
  readonly load: (paths: readonly string[]) => Promise<CheckedPaths>
}

/** Where lines go: problems and the count to `out`, warnings to `err`. */
export interface CheckOutput {
  out(line: string): void
  err(line: string): void
}

/** Prints what is wrong and what is doubtful. The exit code: 0 where all objects are valid, 1 otherwise, 2 without a path. */
export async function check(paths: readonly string[], options: CheckOptions, output: CheckOutput): Promise<number> {
  if (paths.length === 0) {
    output.err('check needs the files or folders to check: purser check PATH…')
    return 2
  }
  const { problems, warnings, objects } = await options.load(paths)
  for (const problem of problems) output.out(problem)
  for (const warning of warnings) output.err(`warning: ${warning}`)
  if (problems.length > 0) return 1
  if (objects === 0) output.err('warning: there are no objects under these paths')
  output.out(objects === 1 ? '1 object is valid' : `${objects} objects are valid`)
  return 0
}
