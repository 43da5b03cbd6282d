// What `helm test` runs: whether a replica is ready and whether its gRPC door serves, as Envoy would ask. Changes nothing.
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'

const { HTTP_URL = '', GRPC_URL = '', CA_FILE = '' } = process.env
const SERVING = 1

/** grpc.health.v1.Health/Check with an empty request: five bytes there, and the status is the second byte of the answer's message. */
function health(url) {
  const client = connect(url, CA_FILE === '' ? {} : { ca: readFileSync(CA_FILE) })
  return new Promise((resolve, reject) => {
    client.on('error', reject)
    const headers = { ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc', te: 'trailers' }
    const call = client.request(headers)
    const chunks = []
    call.on('error', reject)
    call.on('data', chunk => chunks.push(chunk))
    call.on('end', () => resolve(Buffer.concat(chunks)[6]))
    call.setTimeout(5_000, () => reject(new Error('no answer within 5 s')))
    call.end(Buffer.alloc(5))
  }).finally(() => client.destroy())
}

const checks = {
  [`${HTTP_URL}/readyz`]: async url => {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    if (!answer.ok) throw new Error(`${answer.status} ${(await answer.text()).trim()}`)
  },
  [`${HTTP_URL}/metrics`]: async url => {
    const page = await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text()
    if (!page.includes('purser_decisions_total')) throw new Error('purser_decisions_total is not there')
  },
  ...(GRPC_URL === '' ? {} : { [GRPC_URL]: async url => {
    const status = await health(url)
    if (status !== SERVING) throw new Error(`the health service answers ${status}, not ${SERVING} (SERVING)`)
  } }),
}
for (const [url, check] of Object.entries(checks)) {
  await check(url).then(
    () => console.log(`ok      ${url}`),
    fault => {
      console.log(`not ok  ${url}: ${fault.message}${fault.cause ? ` (${fault.cause.message})` : ''}`)
      process.exitCode = 1
    },
  )
}
