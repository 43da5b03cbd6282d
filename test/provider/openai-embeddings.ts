// OpenAI embeddings, as the real endpoint writes them: numbers, or base64 of 32-bit floats. No stream, no output tokens.
import { OPENAI_HEADERS, openaiError, plainUsageOf } from './openai.ts'
import type { Answer, Shape } from './shape.ts'

export const EMBEDDINGS: Shape = {
  json,
  stream: () => {
    throw new Error('embeddings have no stream')
  },
  error: openaiError,
  headers: OPENAI_HEADERS,
}

const DIMENSIONS = 1_536
const DIMENSIONS_MAX = 4_096

function json(answer: Answer): string {
  const { body, items } = answer.asked
  const asked = typeof body['dimensions'] === 'number' ? Math.floor(body['dimensions']) : DIMENSIONS
  const vector = vectorOf(Math.min(Math.max(asked, 1), DIMENSIONS_MAX), body['encoding_format'] === 'base64')
  const rows = Array.from(
    { length: items },
    (_, index) => `    {\n      "object": "embedding",\n      "index": ${index},\n      "embedding": ${vector}\n    }`,
  )
  const usage = plainUsageOf(answer, false)
  const end = usage === null ? '' : `,\n  "usage": ${JSON.stringify(usage, null, 2).replaceAll('\n', '\n  ')}`
  return `{\n  "object": "list",\n  "data": [\n${rows.join(',\n')}\n  ],\n  "model": "${answer.model}"${end}\n}\n`
}

const VECTORS = new Map<string, string>()

/** The text of a vector; the same numbers for everyone, written once. */
function vectorOf(dimensions: number, base64: boolean): string {
  const key = `${dimensions}${base64}`
  const known = VECTORS.get(key)
  if (known !== undefined) return known
  const numbers = Float32Array.from({ length: dimensions }, (_, index) => Math.sin(index + 1) / Math.sqrt(dimensions / 2))
  const text = base64
    ? `"${Buffer.from(numbers.buffer).toString('base64')}"`
    : `[\n${[...numbers].map(number => `        ${Number(number.toPrecision(8))}`).join(',\n')}\n      ]`
  VECTORS.set(key, text)
  return text
}
