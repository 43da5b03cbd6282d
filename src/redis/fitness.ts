// Whether a server may be used, and what its refusals say of that. It asks nobody.

/** What may change it: asking again (`wait`), being led to another server (`elsewhere`), or only a person (`person`). */
export type Fitness = { readonly kind: 'fit' } | Unfit
export type Unfit = { readonly kind: 'unfit'; readonly why: string; readonly until: 'wait' | 'elsewhere' | 'person' }

export const wait = (why: string): Unfit => ({ kind: 'unfit', why, until: 'wait' })
export const elsewhere = (why: string): Unfit => ({ kind: 'unfit', why, until: 'elsewhere' })
export const person = (why: string): Unfit => ({ kind: 'unfit', why, until: 'person' })

/** Answers of a server that is not in charge, or not any more: nothing was done, and the address leads to the one that is. */
export const isElsewhere = (message: string): boolean => /^(MOVED|READONLY|MASTERDOWN|CLUSTERDOWN)\b/.test(message)

/** Rights, a database, certificates: no waiting mends those. */
const FOR_A_PERSON = /\b(WRONGPASS|NOAUTH|NOPERM)\b|invalid (username-)?password|DB index is out of range|certificate|wrong version number/i

/** What a server, or the client that could not reach one, says when it refuses us. */
export function refusal(name: string, message: string): Unfit {
  const why = `${name} cannot be used: ${message}`
  if (FOR_A_PERSON.test(message)) return person(why)
  return isElsewhere(message) ? elsewhere(why) : wait(why)
}
