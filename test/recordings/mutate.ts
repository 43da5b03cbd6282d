// Small damages to bodies, from a seeded source: flips, cuts, repeats, foreign pieces, and hostile values where values stand. Never the same object.
import { encodeFrame } from '../wire/event-frames.ts'

export type Random = () => number

/** What stands where a number, or any value, was. */
const HOSTILE: readonly string[] = [
  '-1',
  '-0',
  '0',
  '1',
  '1.5',
  '-1.5e3',
  '1e400',
  '1e30',
  '1e-400',
  '1E+9',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '18446744073709551616',
  '-9223372036854775808',
  '9'.repeat(39),
  '9'.repeat(400),
  '00012',
  '0x10',
  'NaN',
  'Infinity',
  '-Infinity',
  '"12"',
  '"NaN"',
  'null',
  'true',
  '{}',
  '[]',
  '""',
  '[[[[[[]]]]]]',
  '{"a":1,"a":-2}',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  '\u00ff\u00fe',
  '',
]
/** Numbers of JSON, most of which a report can have. */
const WHOLE_NUMBERS = HOSTILE.filter(text => /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text))
/** Names that decide what is billed: put in where they do not belong. */
const MEMBERS: readonly string[] = [
  '"model":"x"',
  '"max_tokens":5',
  '"n":1000000',
  '"stream":true',
  '"usage":{"prompt_tokens":5,"completion_tokens":-5,"total_tokens":9007199254740991}',
  '"usage":{"input_tokens":9007199254740991,"output_tokens":9007199254740991}',
  '"usage":{"cost":1e20}',
  '"usage":{"cost":-1}',
  '"usage":null',
  '"usageMetadata":{"promptTokenCount":3,"cachedContentTokenCount":9,"totalTokenCount":1}',
  '"billed_units":{"input_tokens":0.5,"output_tokens":1e300}',
  '"prompt_eval_count":-3',
  '"__proto__":{"tokens":1}',
  '"constructor":1',
]

const pick = <T>(random: Random, values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
const below = (random: Random, end: number): number => Math.floor(random() * end)

/** One to four damages; `other` gives a body to take pieces of. Half of the time only values change, so that the form stays whole. */
export function mutate(body: Buffer, other: Buffer, random: Random): Buffer {
  let mutated = body
  if (random() < 0.5) {
    for (let left = 1 + below(random, 3); left > 0; left--) mutated = pick(random, GENTLE)(mutated, random, other, WHOLE_NUMBERS)
    return mutated
  }
  for (let left = 1 + below(random, 4); left > 0; left--) mutated = pick(random, MUTATIONS)(mutated, random, other)
  return mutated
}

type Mutation = (body: Buffer, random: Random, other: Buffer, values?: readonly string[]) => Buffer

const replaced = (body: Buffer, from: number, to: number, by: Buffer): Buffer =>
  Buffer.concat([body.subarray(0, from), by, body.subarray(to)])

/** A range that is small more often than not. */
function range(body: Buffer, random: Random): [number, number] {
  const from = below(random, body.length + 1)
  return [from, Math.min(body.length, from + below(random, Math.ceil((body.length + 1) ** random()) + 1))]
}

const flip: Mutation = (body, random) => {
  if (body.length === 0) return body
  const flipped = Buffer.from(body)
  const at = below(random, body.length)
  flipped[at] = (flipped[at] ?? 0) ^ (1 << below(random, 8))
  return flipped
}
const cut: Mutation = (body, random) => body.subarray(0, below(random, body.length + 1))
const remove: Mutation = (body, random) => replaced(body, ...range(body, random), Buffer.alloc(0))
const duplicate: Mutation = (body, random) => {
  const [from, to] = range(body, random)
  return replaced(body, to, to, body.subarray(from, to))
}
const spliceIn: Mutation = (body, random, other) => replaced(body, ...range(body, random), other.subarray(...range(other, random)))
const cross: Mutation = (body, random, other) =>
  Buffer.concat([body.subarray(0, below(random, body.length + 1)), other.subarray(below(random, other.length + 1))])

/** The next number after a random place. */
const swapNumber: Mutation = (body, random, _, values = HOSTILE) => {
  const text = body.toString('latin1')
  const number = /-?\d[\d.eE+-]*/g
  number.lastIndex = below(random, text.length + 1)
  const found = number.exec(text)
  return found === null ? body : replaced(body, found.index, found.index + found[0].length, Buffer.from(pick(random, values), 'latin1'))
}

/** The next number behind a name that may be billed by. */
const swapCount: Mutation = (body, random, other, values = HOSTILE) => {
  const text = body.toString('latin1')
  const counts = [...text.matchAll(/"[\w-]*(?:token|cost|count|unit|_n|"n|max|best_of|total|seconds)[\w-]*"\s*:\s*(-?\d[\d.eE+-]*)/gi)]
  const found = counts.length === 0 ? undefined : pick(random, counts)
  if (found === undefined) return swapNumber(body, random, other, values)
  const end = found.index + found[0].length
  return replaced(body, end - (found[1] ?? '').length, end, Buffer.from(pick(random, values), 'latin1'))
}

/** The next value of a member after a random place, up to where it seems to end. */
const swapValue: Mutation = (body, random) => {
  const from = body.indexOf('":', below(random, body.length + 1))
  if (from < 0) return body
  const end = /[,}\]]/.exec(body.toString('latin1', from + 2, from + 200))
  return end === null ? body : replaced(body, from + 2, from + 2 + end.index, Buffer.from(pick(random, HOSTILE), 'latin1'))
}

const addMember: Mutation = (body, random) => {
  const from = body.indexOf('{', below(random, body.length + 1))
  return from < 0 ? body : replaced(body, from + 1, from + 1, Buffer.from(`${pick(random, MEMBERS)},`))
}

const nest: Mutation = (body, random) => {
  const at = below(random, body.length + 1)
  const depth = pick(random, [1, 20, 127, 128, 129, 500])
  return replaced(body, at, at, Buffer.from(pick(random, ['[', '{"a":', '{"content":[']).repeat(depth)))
}

const GENTLE: readonly Mutation[] = [swapNumber, swapCount, swapCount, swapCount, addMember]
const MUTATIONS: readonly Mutation[] = [
  ...[flip, cut, remove, duplicate, spliceIn, cross, nest],
  // Damages that leave the form whole reach deepest.
  ...[swapNumber, swapNumber, swapCount, swapCount, swapCount, swapValue, swapValue, addMember, addMember],
]

/** The same of an AWS event stream, mostly inside the payload of a frame that is whole again afterwards; of a wrapped event, inside that. */
export function mutateFrames(body: Buffer, other: Buffer, random: Random): Buffer {
  const frames = framesOf(body)
  if (frames.length === 0 || random() < 0.2) return mutate(body, other, random)
  const at = random() < 0.5 ? frames.length - 1 : below(random, frames.length)
  const from = framesOf(other)
  const donor = from.length === 0 ? other : payloadOf(pick(random, from))
  const frame = frames[at] ?? Buffer.alloc(0)
  frames[at] = encodeFrame(headersOf(frame), mutatePayload(payloadOf(frame), donor, random)) as Buffer
  if (random() < 0.2) frames.splice(below(random, frames.length), random() < 0.5 ? 1 : 0, pick(random, frames))
  return Buffer.concat(frames)
}

function mutatePayload(payload: Buffer, other: Buffer, random: Random): Buffer {
  const text = payload.toString('latin1')
  const wrapped = /"bytes":"([A-Za-z0-9+/=]*)"/.exec(text)
  if (wrapped === null || random() < 0.2) return mutate(payload, other, random)
  const inner = mutate(Buffer.from(wrapped[1] ?? '', 'base64'), other, random)
  return Buffer.from(text.replace(wrapped[0], `"bytes":"${inner.toString('base64')}"`), 'latin1')
}

function framesOf(body: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at + 16 <= body.length; ) {
    const size = body.readUInt32BE(at)
    if (size < 16 || at + size > body.length) break
    frames.push(body.subarray(at, at + size))
    at += size
  }
  return frames
}
const headersOf = (frame: Buffer): Buffer => frame.subarray(12, 12 + frame.readUInt32BE(4))
const payloadOf = (frame: Buffer): Buffer => frame.subarray(12 + frame.readUInt32BE(4), frame.length - 4)

/** A value of a header or a path with something hostile in it. */
export function mutateText(text: string, random: Random): string {
  return random() < 0.5
    ? pick(random, HOSTILE)
    : mutate(Buffer.from(text), Buffer.from('%2f%zz%00:a/../model/x?alt=sse'), random).toString()
}
