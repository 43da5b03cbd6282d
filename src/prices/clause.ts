// The price list's own clauses (equals, starts_with, … and, or), compiled: which model of a provider a name is. Never a near miss.
import type { MatchLogic } from '@pydantic/genai-prices'
import { assert } from '../core/assert.ts'
import { isSameModel } from './spelling.ts'

/** Where a clause met a name: the end of what it knows of it, or null for the whole name. */
type Met = { readonly from: number; readonly to: number } | 'whole' | 'condition'
type Test = (name: string) => Met | null

/** Finds the index of the model that a name is, null for none. Names are in lower case. */
export type ModelIndex = (name: string) => number | null

/**
 * The first model whose clause holds, as the list means it; and then only if the rest of the name is a date, a version, a region
 * or a vendor: `gpt-4o-secret-expensive` is not `gpt-4o`, whatever a prefix says.
 */
export function compileModels(clauses: readonly MatchLogic[], ids: readonly string[], vendors: ReadonlySet<string>): ModelIndex {
  const exact = new Map<string, number>()
  const tested: { readonly index: number; readonly test: Test }[] = []
  for (const [index, clause] of clauses.entries()) {
    for (const name of alternatives(clause).flatMap(one => ('equals' in one ? [one.equals.toLowerCase()] : []))) {
      if (!exact.has(name)) exact.set(name, index)
    }
    const others = alternatives(clause).filter(one => !('equals' in one))
    if (others.length > 0) tested.push({ index, test: compile({ or: others }) })
  }
  const own = new Map(ids.map((id, index) => [id.toLowerCase(), index]))
  return name => {
    const equal = exact.get(name) ?? null
    for (const { index, test } of tested) {
      if (equal !== null && equal <= index) break
      const met = test(name)
      if (met !== null) return own.get(name) === index || isWholly(name, met, vendors) ? index : null
    }
    return equal
  }
}

/** Whether a clause holds for a name in lower case, as loosely as the list says it. */
export function compileClause(clause: MatchLogic): (name: string) => boolean {
  const test = compile(clause)
  return name => test(name) !== null
}

/** The first alternative of a clause that holds for a name in lower case, in the list's own words; the whole clause where none does alone. */
export function clauseMet(clause: MatchLogic, name: string): string {
  return inWords(alternatives(clause).find(one => compileClause(one)(name)) ?? clause)
}

function inWords(clause: MatchLogic): string {
  if ('and' in clause) return clause.and.map(inWords).join(' and ')
  if ('or' in clause) return clause.or.map(inWords).join(' or ')
  return Object.entries(clause)
    .map(([word, text]) => `${word} ${text}`)
    .join(' ')
}

function isWholly(name: string, met: Met, vendors: ReadonlySet<string>): boolean {
  if (met === 'whole') return true
  if (met === 'condition') return false
  const known = name.slice(met.from, met.to)
  const tuned = known.startsWith('ft:') || known.endsWith('.ft-')
  return tuned ? met.from === 0 : isSameModel(name.slice(0, met.from), name.slice(met.to), vendors)
}

const alternatives = (clause: MatchLogic): readonly MatchLogic[] => ('or' in clause ? clause.or.flatMap(alternatives) : [clause])

function compile(clause: MatchLogic): Test {
  if ('equals' in clause) {
    const text = clause.equals.toLowerCase()
    return name => (name === text ? 'whole' : null)
  }
  if ('starts_with' in clause) {
    const text = clause.starts_with.toLowerCase()
    return name => (name.startsWith(text) ? { from: 0, to: text.length } : null)
  }
  if ('ends_with' in clause) {
    const text = clause.ends_with.toLowerCase()
    return name => (name.endsWith(text) ? { from: name.length - text.length, to: name.length } : null)
  }
  if ('contains' in clause) {
    const text = clause.contains.toLowerCase()
    return name => found(name.indexOf(text), text.length)
  }
  if ('regex' in clause) return compileRegex(clause.regex)
  if ('and' in clause) return compileAnd(clause.and.map(compile))
  assert('or' in clause, 'the price list has no other clauses')
  return compileOr(clause.or.map(compile))
}

const found = (at: number, length: number): Met | null => (at < 0 ? null : { from: at, to: at + length })

/** A pattern of both ends speaks of the whole name; one that looks only ahead is a condition; else up to the last separator it met. */
function compileRegex(source: string): Test {
  const pattern = new RegExp(source)
  return name => {
    const match = pattern.exec(name)
    if (match === null) return null
    if (match[0] === '') return 'condition'
    if (match[0] === name) return source.startsWith('^') && source.endsWith('$') ? 'whole' : { from: 0, to: name.length }
    let to = match.index + match[0].length
    while (to > match.index && /[a-z0-9]/.test(name[to - 1] ?? '')) to--
    return { from: match.index, to }
  }
}

function compileAnd(tests: readonly Test[]): Test {
  return name => {
    let met: Met = 'condition'
    for (const test of tests) {
      const one = test(name)
      if (one === null) return null
      if (met === 'condition') met = one
    }
    return met
  }
}

/** Of several that hold, the one that knows most of the name. */
function compileOr(tests: readonly Test[]): Test {
  return name => {
    let best: Met | null = null
    for (const test of tests) {
      const one = test(name)
      if (one !== null && (best === null || extent(one, name) > extent(best, name))) best = one
    }
    return best
  }
}

const extent = (met: Met, name: string): number => (met === 'whole' ? name.length + 1 : met === 'condition' ? 0 : met.to - met.from)
