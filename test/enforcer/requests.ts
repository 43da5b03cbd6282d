// Requests and responses as the door would hand them over.
import type { HeaderList, RequestInfo, ResponseInfo } from '../../src/enforcer/exchange.ts'

export function headers(entries: Readonly<Record<string, string | readonly string[]>>): HeaderList {
  const flat = Object.entries(entries).flatMap(([name, value]) => [value].flat().map(one => [name, one] as [string, string]))
  const getAll = (name: string): string[] => flat.filter(entry => entry[0] === name).map(entry => entry[1])
  return { get: name => getAll(name)[0] ?? null, getAll, entries: () => flat }
}

export function request(
  changes: Partial<Omit<RequestInfo, 'headers'>> & { headers?: Readonly<Record<string, string | readonly string[]>> } = {},
): RequestInfo {
  return {
    method: 'POST',
    path: '/v1/chat/completions',
    authority: 'gateway.example',
    endOfStream: false,
    routeName: null,
    virtualHost: null,
    sourceAddress: null,
    peerUriSan: null,
    jwtMetadata: null,
    purser: { namespace: null, provider: null, gateway: null },
    ...changes,
    headers: headers(changes.headers ?? {}),
  }
}

export function response(
  changes: Partial<Omit<ResponseInfo, 'headers'>> & { headers?: Readonly<Record<string, string>> } = {},
): ResponseInfo {
  return {
    status: 200,
    endOfStream: false,
    codeDetails: 'via_upstream',
    flags: 0,
    attempts: 1,
    ...changes,
    headers: headers({ 'content-type': 'application/json', ...changes.headers }),
  }
}
