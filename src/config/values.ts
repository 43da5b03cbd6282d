// What the values of flags may be, each checked with a sentence that says what is allowed. Knows no flag.

/** A flag or variable that cannot be used; the message names it and what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** An absolute path: a relative one would depend on where Envoy was started. Kernels take 107 bytes. */
export function socket(name: string, text: string): string | null {
  if (!text.startsWith('unix:')) return null
  const path = text.slice('unix:'.length)
  if (!path.startsWith('/') || path.endsWith('/') || Buffer.byteLength(path) > 107)
    throw new ConfigError(`--${name} ${text}: allowed: unix:/PATH with an absolute path of at most 107 bytes`)
  return text
}

export function address(name: string, text: string): string {
  const port = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text)?.[1]
  if (port === undefined || Number(port) > 65_535)
    throw new ConfigError(`--${name} ${text}: allowed: HOST:PORT, for instance 127.0.0.1:9002`)
  return text
}

export function whole(name: string, text: string, min: number, max: number): number {
  if (!/^\d{1,12}$/.test(text) || Number(text) < min || Number(text) > max) {
    throw new ConfigError(`--${name} ${text}: allowed: a whole number from ${min} to ${max}`)
  }
  return Number(text)
}

export function oneOf(name: string, text: string, allowed: readonly string[]): string {
  if (!allowed.includes(text)) throw new ConfigError(`--${name} ${text}: allowed: ${allowed.join(', ')}`)
  return text
}

export function pattern(name: string, text: string, allowed: RegExp, words: string): string {
  if (!allowed.test(text)) throw new ConfigError(`--${name} ${text}: allowed: ${words}`)
  return text
}

export const namespaceName = (name: string, text: string): string =>
  pattern(name, text, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'a namespace name')

export const logLevel = (text: string): string => oneOf('log-level', text, ['trace', 'debug', 'info', 'warn', 'error', 'fatal'])

export function headerNames(text: string): readonly string[] {
  const names = text.split(',').flatMap(name => (name.trim() === '' ? [] : [name.trim().toLowerCase()]))
  for (const name of names)
    if (SECRET_HEADERS.includes(name))
      throw new ConfigError(`--trusted-headers ${name}: holds a secret, which must reach no ledger; policies select keys by accessKey`)
  return names.map(name => pattern('trusted-headers', name, /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'header names, comma-separated'))
}

const SECRET_HEADERS: readonly string[] = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'proxy-authorization', 'cookie']
