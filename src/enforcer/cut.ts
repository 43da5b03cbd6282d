// A stream that has outgrown its reservation, ended for its client where policies say so: after a whole event comes one that tells why, and
// nothing any more. The provider's own stream is read to its end all the same, so that its report can prove what it cost.
import { hasOutgrown } from '../core/outgrown.ts'
import { cutter, cutVerdict } from '../core/waste.ts'
import { CUT_SLICE_BYTES } from '../limits.ts'
import { errorEvent } from '../wire/error.ts'
import type { Format } from '../wire/format.ts'
import type { Held } from './close.ts'
import { isIdentity } from './decode.ts'
import type { ResponseInfo } from './exchange.ts'
import { type AnswerMeter, openAnswerMeter } from './meter.ts'

const NOTHING = new Uint8Array(0)
const BLANK_LINE = /\r\n\r\n|\n\n|\r\r/g
const TAIL_BYTES = 3

/** The meter of the answer to a call, which cuts it where that is told; null where it cannot be read. */
export function openCallMeter(
  { plan, format, hideUsage }: Pick<Held, 'plan'> & { readonly format: Format; readonly hideUsage: boolean },
  info: ResponseInfo,
): AnswerMeter | null {
  const meter = openAnswerMeter(format, plan.call, info, hideUsage)
  const policy = cutter(plan.binding.policies)
  const isReadable = isIdentity(info.headers.get('content-encoding')) && /event-stream/i.test(info.headers.get('content-type') ?? '')
  if (meter === null || policy === null || !isReadable) return meter
  return cutting(meter, () => hasOutgrown(plan, meter.reading()), Buffer.from(errorEvent(format, cutVerdict(policy))))
}

/** `event`: what the client is told in the place of the rest. */
function cutting(meter: AnswerMeter, isOver: () => boolean, event: Uint8Array): AnswerMeter {
  let phase: 'passing' | 'ending' | 'ended' = 'passing'
  /** The last bytes that passed: the end of an event may lie across two pieces. */
  let tail: Uint8Array = NOTHING
  const passed = (slice: Uint8Array, endOfStream: boolean): Uint8Array | null => {
    const instead = meter.push(slice, endOfStream)
    if (phase === 'ended') return NOTHING
    if (phase === 'passing' && isOver()) phase = 'ending'
    const out = instead ?? slice
    const end = phase === 'ending' ? endOfEvent(tail, out) : null
    if (end === null) {
      tail = Buffer.concat([tail, out.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
      return instead
    }
    phase = 'ended'
    return Buffer.concat([out.subarray(0, end), event])
  }
  return {
    ...meter,
    push: (piece, endOfStream) => {
      if (piece.length <= CUT_SLICE_BYTES) return passed(piece, endOfStream)
      const parts: Uint8Array[] = []
      let isSame = true
      for (let at = 0; at < piece.length; at += CUT_SLICE_BYTES) {
        const slice = piece.subarray(at, at + CUT_SLICE_BYTES)
        const instead = passed(slice, endOfStream && at + CUT_SLICE_BYTES >= piece.length)
        if (instead !== null) isSame = false
        parts.push(instead ?? slice)
      }
      return isSame ? null : Buffer.concat(parts)
    },
  }
}

/** Where in `out` the first event ends, 0 where one had just ended before it; null where none does. */
function endOfEvent(tail: Uint8Array, out: Uint8Array): number | null {
  const text = Buffer.concat([tail, out]).toString('latin1')
  for (const { index, 0: blank } of text.matchAll(BLANK_LINE)) {
    const end = index + blank.length - tail.length
    if (end >= 0) return end
  }
  return null
}
