// The tokenizer's own thread: counts one body after another, and keeps none of them.
import { parentPort } from 'node:worker_threads'
import { assert } from '../core/assert.ts'
import { countBody } from './count.ts'
import type { Asked, Said } from './messages.ts'

const port = parentPort
assert(port !== null, 'the tokenizer runs in a thread of its own')
const say = (said: Said): void => port.postMessage(said)

port.on('message', ({ id, body }: Asked) => say({ kind: 'counted', id, count: countBody(body) }))
say({ kind: 'ready' })
