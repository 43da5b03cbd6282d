// A model that is named in two places: which ones may answer, or why that cannot be read. What one server takes, another may ignore.
import { describe, expect, it } from 'vitest'
import { meteredEndpoint, requestHead } from './fixture.ts'

/** The models of the call, or `unreadable`. */
function modelsOf(path: string, body: string, headers: Readonly<Record<string, string>> = {}): readonly string[] | 'unreadable' {
  const head = requestHead({ request: { path, headers, body } })
  const { format, endpoint } = meteredEndpoint(head)
  const reader = format.openReader(head, endpoint)
  reader.push(new TextEncoder().encode(body))
  const read = reader.end()
  return read.kind === 'call' ? read.call.models : 'unreadable'
}

const CHAT = '/v1/chat/completions'
const CLAUDE = '/v1/projects/p/locations/global/publishers/anthropic/models/claude-haiku-4-5:rawPredict'
const MESSAGE = '"max_tokens":5,"messages":[]'

describe('in a body of JSON', () => {
  it.each([
    // Azure, the Gemini API and Bedrock read the path alone.
    ['/openai/deployments/mine/chat/completions', '{"model":"other","messages":[]}', ['mine']],
    ['/openai/deployments/a%2Fb/chat/completions', '{"messages":[]}', ['a/b']],
    ['/v1beta/models/gemini-2.5-flash:generateContent', '{"model":"models/gemini-2.5-pro","contents":[]}', ['gemini-2.5-flash']],
    ['/model/amazon.nova-lite-v1%3A0/invoke', '{"model":"other","messages":[]}', ['amazon.nova-lite-v1:0']],
    // A model that may be fallen back to, advise, or be routed to: any of them may answer.
    [CHAT, '{"models":["b","a","b"],"model":"a","messages":[]}', ['a', 'b']],
    ['/v1/messages', `{"fallbacks":[{"model":"b"}],"model":"a",${MESSAGE}}`, ['a', 'b']],
    ['/v1/messages', `{"model":"a","tools":[{"type":"advisor_20260301","model":"b"}],${MESSAGE}}`, ['a', 'b']],
    [CLAUDE, `{"model":"claude-opus-5",${MESSAGE}}`, ['claude-haiku-4-5', 'claude-opus-5']],
    [
      '/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent',
      '{"contents":[],"generationConfig":{"routingConfig":{"manualMode":{"modelName":"n"}}}}',
      ['m', 'n'],
    ],
    // Readers do not agree on which of two counts.
    [CHAT, '{"model":"a","model":"b","messages":[]}', 'unreadable'],
    [CHAT, '{"model":"a","mod\\u0065l":"b","messages":[]}', 'unreadable'],
    [CHAT, '{"model":"a","Model":"b","messages":[]}', 'unreadable'],
    [CHAT, '{"model":["a","b"],"messages":[]}', 'unreadable'],
    ['/v1/messages', `{"model":"a","model":"a",${MESSAGE}}`, 'unreadable'],
    ['/v1/messages/batches', `{"requests":[{"params":{"model":"a","model":"b",${MESSAGE}}}]}`, 'unreadable'],
  ])('%s %s', (path, body, expected) => expect(modelsOf(path, body)).toEqual(expected))
})

describe('in a form', () => {
  const form = (...fields: readonly (readonly [string, string])[]): string =>
    `${fields.map(([name, value]) => `--x\r\nContent-Disposition: form-data; ${name}\r\n\r\n${value}\r\n`).join('')}--x--\r\n`
  const file = ['name="file"; filename="a.mp3"', 'sound'] as const
  const headers = { 'content-type': 'multipart/form-data; boundary=x' }
  const PATH = '/v1/audio/transcriptions'

  it.each([
    [PATH, [['name="model"', 'a'], file], ['a']],
    ['/openai/deployments/mine/audio/transcriptions', [['name="model"', 'a'], file], ['mine']],
    [PATH, [['name="model"', 'a'], ['name="model"', 'b'], file], 'unreadable'],
    [PATH, [['name="model"', 'a'], ['name="model[]"', 'b'], file], 'unreadable'],
    [PATH, [['name="model"', 'a'], ['name="model[0]"', 'b'], file], 'unreadable'],
    [PATH, [['name="model"', 'a'], ['name="Model"', 'b'], file], 'unreadable'],
    [PATH, [['name="model"; name="prompt"', 'a'], file], 'unreadable'],
    [PATH, [['name="model"', 'a'], ['name="model"; filename="m"', 'b'], file], 'unreadable'],
    [PATH, [file], 'unreadable'],
  ] as const)('%s %j', (path, fields, expected) => expect(modelsOf(path, form(...fields), headers)).toEqual(expected))
})
