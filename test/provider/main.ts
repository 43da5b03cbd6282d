// The fake provider as a program: `node test/provider/main.ts --port 8080 --delay-ms 1000 --tokens 500`. One JSON line when it is ready.
import { parseArgs } from 'node:util'
import { startProvider } from './provider.ts'
import { faultOf } from './settings.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    'delay-ms': { type: 'string', default: '0' },
    tokens: { type: 'string', default: '20' },
    'input-tokens': { type: 'string' },
    'chunk-delay-ms': { type: 'string', default: '0' },
    error: { type: 'string', default: 'none' },
    gzip: { type: 'boolean', default: false },
    'bills-on-abort': { type: 'boolean', default: false },
  },
})

const number = (flag: string, value: string): number => {
  if (!/^\d{1,9}$/.test(value)) throw new Error(`--${flag} is a whole number, not ${value}`)
  return Number(value)
}

const inputTokens = values['input-tokens']
const provider = await startProvider({
  port: number('port', values.port),
  host: values.host,
  delayMs: number('delay-ms', values['delay-ms']),
  outputTokens: number('tokens', values.tokens),
  inputTokens: inputTokens === undefined ? null : number('input-tokens', inputTokens),
  chunkDelayMs: number('chunk-delay-ms', values['chunk-delay-ms']),
  fault: faultOf(values.error),
  gzip: values.gzip,
  billsOnAbort: values['bills-on-abort'],
})
console.log(JSON.stringify({ msg: 'ready', url: provider.url, port: provider.port }))

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void provider.close().then(() => process.exit(0)))
}
