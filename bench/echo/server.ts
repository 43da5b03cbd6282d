// The least that an ext_proc server can do, as the baseline of every measurement: CONTINUE to every message, or with --refuse a 402 to
// every request body. The same library, protos and stream-reset cure as the door, and nothing else.
import { parseArgs } from 'node:util'
import { Server, ServerCredentials, type ServerDuplexStream, type ServiceDefinition } from '@grpc/grpc-js'
import { HealthImplementation } from 'grpc-health-check'
import { loadProtos, type ProcessingRequest, type ProcessingResponse, SERVICE_NAME } from '../../src/envoy/protos.ts'
import { cureStreamResets } from '../../src/envoy/reset-cure.ts'
import { GRPC_MESSAGE_BYTES_MAX } from '../../src/limits.ts'

const { values } = parseArgs({
  options: { listen: { type: 'string', default: '127.0.0.1:9002' }, refuse: { type: 'boolean', default: false } },
})
const REFUSED: ProcessingResponse = {
  immediateResponse: {
    status: { code: 402 },
    headers: {
      setHeaders: [
        { header: { key: 'content-type', rawValue: Buffer.from('application/json') }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    },
    body: Buffer.from('{"error":{"message":"refused by the echo","type":"insufficient_quota"}}'),
    details: 'echo_refused',
  },
}

function answered(call: ServerDuplexStream<ProcessingRequest, ProcessingResponse>): void {
  call.on('data', ({ request }) => {
    if (request === undefined) return
    if (values.refuse && request === 'requestBody') call.write(REFUSED)
    else call.write({ [request]: request.endsWith('Trailers') ? {} : { response: {} } })
  })
  call.on('end', () => call.end())
  call.on('error', () => {})
}

cureStreamResets()
const server = new Server({ 'grpc.max_receive_message_length': GRPC_MESSAGE_BYTES_MAX, 'grpc.enable_channelz': 0 })
server.addService(loadProtos()[SERVICE_NAME] as unknown as ServiceDefinition, { Process: answered })
new HealthImplementation({ '': 'SERVING' }).addToServer(server)
server.bindAsync(values.listen, ServerCredentials.createInsecure(), (fault, port) => {
  if (fault !== null) throw fault
  // One line, as `purser serve` writes it, so that whoever starts either can wait for it.
  process.stdout.write(`${JSON.stringify({ msg: 'ready', port })}\n`)
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
