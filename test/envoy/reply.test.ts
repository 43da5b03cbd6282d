// Replies as Envoy reads them: what it would refuse or ignore must never be written.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadProtos, SERVICE_NAME } from '../../src/envoy/protos.ts'
import { amendedReply, bothChanges, changedReply, continueReplies, refusalReply, replacedPiece } from '../../src/envoy/reply.ts'
import { REFUSAL } from './peer.ts'

const change = (set: [string, string][], remove: string[] = []) => ({ set, remove })
const headersOf = (reply: ReturnType<typeof amendedReply>) =>
  (reply.requestBody?.response.headerMutation?.setHeaders ?? []).map(({ header }) => [header.key, header.rawValue?.toString()])

describe('an amended body', () => {
  it('always brings its length, whatever the change says of it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.boolean(), (body, set, remove) => {
        const reply = amendedReply(
          'requestBody',
          body,
          change(set ? [['content-length', '7']] : [], remove ? ['content-length'] : []),
          null,
        )
        expect(headersOf(reply)).toEqual([['content-length', String(body.length)]])
        expect(reply.requestBody?.response.headerMutation?.removeHeaders).toEqual([])
        expect(reply.requestBody?.response.bodyMutation).toEqual({ body })
      }),
    )
  })
})

describe('a changed header', () => {
  it('overwrites, by its raw value', () => {
    const reply = changedReply('requestHeaders', change([['accept-encoding', 'identity']], ['x-api-key']), null)
    expect(reply).toEqual({
      requestHeaders: {
        response: {
          headerMutation: {
            setHeaders: [
              { header: { key: 'accept-encoding', rawValue: Buffer.from('identity') }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
            ],
            removeHeaders: ['x-api-key'],
          },
        },
      },
    })
  })

  it('never holds a control character, for which Envoy would drop the reply', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), value => {
        const reply = changedReply('responseHeaders', change([['x', value]]), null)
        const bytes = reply.responseHeaders?.response.headerMutation?.setHeaders?.[0]?.header.rawValue ?? Buffer.from([0])
        expect([...bytes].filter(byte => byte < 0x20 || byte === 0x7f)).toEqual([])
      }),
    )
  })

  it('is one change when two are joined, the later one winning', () => {
    const first = change(
      [
        ['a', '1'],
        ['b', '1'],
      ],
      ['c', 'd'],
    )
    expect(
      bothChanges(
        first,
        change(
          [
            ['a', '2'],
            ['c', '2'],
          ],
          ['b'],
        ),
      ),
    ).toEqual(
      change(
        [
          ['a', '2'],
          ['c', '2'],
        ],
        ['d', 'b'],
      ),
    )
    expect(bothChanges(first, change([]))).toBe(first)
    expect(bothChanges(change([]), first)).toBe(first)
  })
})

describe('a refusal', () => {
  it('has status, headers, body, and says in the details and metadata why', () => {
    const reply = refusalReply(REFUSAL)
    expect(reply.immediateResponse?.status).toEqual({ code: 402 })
    expect(reply.immediateResponse?.body).toEqual(Buffer.from('{"no":"money"}'))
    expect(reply.immediateResponse?.details).toBe('purser_exhausted')
    expect(reply.dynamicMetadata?.fields?.['purser']?.structValue?.fields).toEqual({
      verdict: { stringValue: 'refused' },
      reason: { stringValue: 'exhausted' },
    })
  })

  it('survives the wire with a status that the list of codes does not name', () => {
    const { Process } = loadProtos()[SERVICE_NAME] as unknown as {
      Process: {
        responseSerialize(reply: object): Buffer
        responseDeserialize(bytes: Buffer): { immediateResponse: { status: { code: unknown } } }
      }
    }
    const there = (status: number) =>
      Process.responseDeserialize(Process.responseSerialize(refusalReply({ ...REFUSAL, status }))).immediateResponse.status.code
    expect([there(402), there(418), there(529)]).toEqual(['PaymentRequired', 418, 529])
  })

  it.each([0, 200, 399, 600, 402.5, Number.NaN, -1])('with the status %d is a bug, for Envoy would answer 200', status => {
    expect(() => refusalReply({ ...REFUSAL, status })).toThrow('4xx or 5xx')
  })

  it('keeps its reason in one word', () => {
    expect(refusalReply({ ...REFUSAL, reason: 'a b\n"c"' as 'wiring' }).immediateResponse?.details).toBe('purser_a_b__c_')
  })
})

describe('other replies', () => {
  it('clears a piece that is to vanish', () => {
    expect(replacedPiece(new Uint8Array(0))).toEqual({ responseBody: { response: { bodyMutation: { clearBody: true } } } })
    expect(replacedPiece(Buffer.from('x'))).toEqual({ responseBody: { response: { bodyMutation: { body: Buffer.from('x') } } } })
  })

  it('goes on with each part in its own field', () => {
    const { Process } = loadProtos()[SERVICE_NAME] as unknown as { Process: { responseDeserialize(bytes: Buffer): { response: string } } }
    for (const [part, bytes] of Object.entries(continueReplies())) expect(Process.responseDeserialize(bytes).response).toBe(part)
  })

  it('files metadata of every kind under one name', () => {
    const reply = changedReply('requestBody', change([]), { id: 'r', n: 7, hidden: true })
    expect(reply.dynamicMetadata).toEqual({
      fields: { purser: { structValue: { fields: { id: { stringValue: 'r' }, n: { numberValue: 7 }, hidden: { boolValue: true } } } } },
    })
  })

  it('has no header changes to make on trailers', () => {
    expect(changedReply('requestTrailers', change([['a', '1']]), null)).toEqual({ requestTrailers: {} })
  })
})
