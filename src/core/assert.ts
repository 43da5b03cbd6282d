// Assertions for programmer errors: they stay on in production, and say what was believed. Never for expected outcomes.

/** A broken belief of the program about itself; never a user's mistake. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws {@link AssertionError} with `belief` unless `condition` holds. */
export function assert(condition: boolean, belief: string): asserts condition {
  if (!condition) throw new AssertionError(belief)
}

/** Closes a union: the compiler proves that no case is left, and a lie told to it is caught here. */
export function assertNever(value: never): never {
  throw new AssertionError(`a case that cannot be: ${JSON.stringify(value)}`)
}
