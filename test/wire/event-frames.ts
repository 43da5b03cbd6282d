// Writes AWS event streams for tests, with Node's own checksum: nothing of the parser under test is used.
import { crc32 } from 'node:zlib'

/** A frame as fixtures write it: its name, its payload, and what is odd about it. */
export interface Frame {
  readonly name: string
  readonly payload: unknown
  /** The payload is a model's event, wrapped as InvokeModel's streams wrap it. */
  readonly chunk?: boolean
  readonly exception?: boolean
  /** `checksum`: the last one is wrong. A number: so many bytes of the frame are left. */
  readonly broken?: 'checksum' | 'prelude' | number
}

export function writeFrames(frames: readonly Frame[]): Uint8Array {
  return Buffer.concat(frames.map(writeFrame))
}

function writeFrame({ name, payload, chunk, exception, broken }: Frame): Uint8Array {
  const inner = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const body = chunk ? JSON.stringify({ bytes: Buffer.from(inner).toString('base64'), p: 'abcdefghij' }) : inner
  const headers = exception
    ? { ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' }
    : { ':event-type': name, ':content-type': 'application/json', ':message-type': 'event' }
  const frame = Buffer.from(encodeFrame(writeHeaders(headers), Buffer.from(body)))
  if (broken === 'checksum') frame.writeUInt8(frame.readUInt8(frame.length - 1) ^ 1, frame.length - 1)
  if (broken === 'prelude') frame.writeUInt8(frame.readUInt8(8) ^ 1, 8)
  return typeof broken === 'number' ? frame.subarray(0, broken) : frame
}

/** Headers whose values are strings. */
export function writeHeaders(headers: Readonly<Record<string, string>>): Uint8Array {
  return Buffer.concat(Object.entries(headers).map(([name, value]) => header(name, 7, [sized(Buffer.from(value))])))
}

/** One header of any type. */
export function header(name: string, type: number, value: readonly Uint8Array[]): Uint8Array {
  const text = Buffer.from(name)
  return Buffer.concat([Buffer.from([text.length]), text, Buffer.from([type]), ...value])
}

export function sized(value: Uint8Array): Uint8Array {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(value.length)
  return Buffer.concat([length, value])
}

export function encodeFrame(headers: Uint8Array, payload: Uint8Array): Uint8Array {
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(16 + headers.length + payload.length, 0)
  prelude.writeUInt32BE(headers.length, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const unsigned = Buffer.concat([prelude, headers, payload])
  const closing = Buffer.alloc(4)
  closing.writeUInt32BE(crc32(unsigned))
  return Buffer.concat([unsigned, closing])
}
