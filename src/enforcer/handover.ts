// What is handed from whoever reserves to whoever settles: a text for the proxy's metadata that names a reservation and tells how its answer is
// read and priced. Holds no content, no key, no budget: those are in the ledger, which also proves that the text is ours.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Call } from '../core/call.ts'
import { nanoUsd } from '../core/money.ts'
import type { Holder, ReservationId } from '../core/reservation.ts'
import { AMOUNT_MAX, HANDOVER_CHARS_MAX } from '../limits.ts'
import { unreadCall } from '../wire/call-draft.ts'
import type { ChargedPlan } from './charge.ts'

export interface Handover {
  readonly id: ReservationId
  /** Store time of the admission, ms: what prices are looked up at. */
  readonly admittedMs: number
  /** Whether the stream that reserved also settles, so that others only witness. */
  readonly settlesItself: boolean
  readonly retriesUnsent: boolean
  /** Null where it would have been too long: then only the whole estimate is sure. */
  readonly priced: Priced | null
}

interface Priced {
  readonly call: Call
  readonly provider: string | null
  /** The hash of the price book that the estimate was made with. */
  readonly book: string
  readonly estimate: Pick<ChargedPlan['estimate'], 'inputTokens' | 'outputTokens' | 'cost'>
  readonly dearestStandsIn: boolean
}

const VERSION = '1'
const ID = /^[0-9a-f]{32}$/
const SEAL_CHARS = 22 // 128 bits

/**
 * `1.ID.FLAGS.PRICED.SEAL`. The seal is made with the holder of the reservation, which nobody outside knows: a text that was made up,
 * or changed on its way, does not pass {@link isSealed}.
 */
export function handoverText(handover: Omit<Handover, 'priced' | 'admittedMs'>, plan: ChargedPlan, holder: Holder): string {
  const flags = `${handover.settlesItself ? 's' : ''}${handover.retriesUnsent ? 'u' : ''}`
  const priced = Buffer.from(JSON.stringify(packed(plan))).toString('base64url')
  const head = `${VERSION}.${handover.id}.${flags}.`
  const text = head + (head.length + priced.length + 1 + SEAL_CHARS <= HANDOVER_CHARS_MAX ? priced : '')
  return `${text}.${sealOf(text, holder)}`
}

/** The parts of a text, checked for shape and bounds; null where it is none of this version. Nothing is believed yet. */
export function readHandover(text: string): Handover | null {
  if (text.length > HANDOVER_CHARS_MAX) return null
  const [version, id = '', flags = '', packedText = '', seal = '', ...more] = text.split('.')
  if (version !== VERSION || !ID.test(id) || seal.length !== SEAL_CHARS || more.length > 0) return null
  const admittedMs = Number.parseInt(id.slice(0, 12), 16)
  const facts = { id: id as ReservationId, admittedMs, settlesItself: flags.includes('s'), retriesUnsent: flags.includes('u') }
  if (packedText === '') return { ...facts, priced: null }
  const priced = unpacked(packedText)
  return priced === null ? null : { ...facts, priced }
}

/** Whether this text was made for a reservation of this holder, and is whole. */
export function isSealed(text: string, holder: Holder): boolean {
  const at = text.lastIndexOf('.')
  const [given, made] = [Buffer.from(text.slice(at + 1)), Buffer.from(sealOf(text.slice(0, at), holder))]
  return given.length === made.length && timingSafeEqual(given, made)
}

const sealOf = (text: string, holder: Holder): string => createHmac('sha256', holder).update(text).digest('base64url').slice(0, SEAL_CHARS)

/** Of a call, what meters, prices and charges ask for; what is as usual is left out. */
function packed({ call, provider, book, estimate, binding }: ChargedPlan): object {
  const yes = (value: boolean | undefined): 1 | undefined => (value === true ? 1 : undefined)
  return {
    f: call.format,
    e: call.endpoint,
    m: call.models,
    p: provider ?? undefined,
    b: book.hash,
    i: `${estimate.inputTokens}`,
    o: `${estimate.outputTokens}`,
    c: estimate.cost === null ? undefined : `${estimate.cost}`,
    n: call.choices === 1n ? undefined : `${call.choices}`,
    t: call.serviceTier ?? undefined,
    w: call.cacheWrite === 'none' ? undefined : call.cacheWrite,
    k: call.media.length === 0 ? undefined : [...new Set(call.media.map(part => part.kind))],
    x: call.charges === undefined ? undefined : [...call.charges].map(([kind, count]) => [kind, `${count}`]),
    s: yes(call.streaming),
    l: yes(call.tools),
    q: yes(call.opaqueInputs.length > 0),
    v: yes(call.serverTools.length > 0),
    g: yes(!call.generates),
    r: yes(call.regional),
    a: yes(call.batch),
    h: yes(call.background),
    d: yes(binding.rules.onUnknownModel === 'DearestOfProvider'),
  }
}

function unpacked(text: string): Priced | null {
  const from = fieldsOf(text)
  if (from === null) return null
  const [format, endpoint, book] = [string(from['f']), string(from['e']), string(from['b'])]
  const [inputTokens, outputTokens, choices] = [amount(from['i']), amount(from['o']), amount(from['n'] ?? '1')]
  const cost = from['c'] === undefined ? null : amount(from['c'])
  const models = Array.isArray(from['m']) ? from['m'].filter(name => typeof name === 'string') : []
  if (format === null || endpoint === null || book === null || inputTokens === null || outputTokens === null) return null
  if (choices === null || (cost === null && from['c'] !== undefined)) return null
  const charges = chargesOf(from['x'])
  const cacheWrite = from['w'] === '5m' || from['w'] === '1h' ? from['w'] : 'none'
  const call: Call = {
    ...unreadCall(format, endpoint, from['s'] === 1),
    models,
    choices,
    serviceTier: string(from['t']),
    cacheWrite,
    media: mediaOf(from['k']),
    tools: from['l'] === 1,
    opaqueInputs: from['q'] === 1 ? ['unseen'] : [],
    serverTools: from['v'] === 1 ? ['unseen'] : [],
    generates: from['g'] !== 1,
    background: from['h'] === 1,
    ...(from['r'] === 1 ? { regional: true } : {}),
    ...(from['a'] === 1 ? { batch: true } : {}),
    ...(charges === null ? {} : { charges }),
  }
  const estimate = { inputTokens, outputTokens, cost: cost === null ? null : nanoUsd(cost) }
  return { call, provider: string(from['p']), book, estimate, dearestStandsIn: from['d'] === 1 }
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null
  } catch {
    return null
  }
}

const string = (value: unknown): string | null => (typeof value === 'string' ? value : null)

function amount(value: unknown): bigint | null {
  if (typeof value !== 'string' || !/^[0-9]{1,16}$/.test(value)) return null
  const whole = BigInt(value)
  return whole <= AMOUNT_MAX ? whole : null
}

const KINDS = ['image', 'audio', 'video', 'document'] as const

function mediaOf(value: unknown): Call['media'] {
  const kinds: readonly unknown[] = Array.isArray(value) ? value : []
  return KINDS.filter(kind => kinds.includes(kind)).map(kind => ({ kind, bytes: null, detail: null, width: null, height: null }))
}

function chargesOf(value: unknown): ReadonlyMap<string, bigint> | null {
  if (!Array.isArray(value)) return null
  const entries = value.flatMap((entry: unknown): [string, bigint][] => {
    const [kind, count] = Array.isArray(entry) ? [string(entry[0]), amount(entry[1])] : [null, null]
    return kind === null || count === null ? [] : [[kind, count]]
  })
  return new Map(entries)
}
