// The door's certificate as its files have it now: read again and again, served from the next connection on. It keeps what was good last.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { ServerCredentials } from '@grpc/grpc-js'
import { CERTIFICATE_LOOK_MS } from '../limits.ts'
import type { Complaints } from './wiring.ts'

/** Paths of PEM files. With a client CA, only clients with a certificate of it are let in. */
export interface DoorTls {
  readonly cert: string
  readonly key: string
  readonly clientCa: string | null
}

interface Pems {
  readonly cert: Buffer
  readonly key: Buffer
  readonly clientCa: Buffer | null
}

/**
 * Looked at once a second and compared by content: a mounted Secret changes by moving a link two folders up, of which the watches of file
 * systems tell nothing reliable. Connections that are open go on with the certificate that they began with.
 */
export class WatchedCertificates extends ServerCredentials {
  readonly #tls: DoorTls
  readonly #complaints: Complaints
  readonly #timer: NodeJS.Timeout
  #served: Pems
  /** What was wrong at the last look: said when it is still so at the next, for files are not replaced at the same moment. */
  #wrong: string | null = null
  #looking = false

  /** @throws with a sentence that names the file that is missing or wrong. */
  constructor(tls: DoorTls, complaints: Complaints) {
    const read = {
      cert: readNow(tls.cert, 'certificate'),
      key: readNow(tls.key, 'key'),
      clientCa: tls.clientCa === null ? null : readNow(tls.clientCa, 'client CA'),
    }
    const wrong = unusable(read, tls)
    if (wrong !== null) throw new Error(wrong)
    super({ requestCert: tls.clientCa !== null }, contextOf(read))
    this.#tls = tls
    this.#complaints = complaints
    this.#served = read
    this.#timer = setInterval(() => void this.look(), CERTIFICATE_LOOK_MS).unref()
  }

  /** Reads the files, and serves what is in them from now on if it is another pair that can be served. */
  async look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const read = await this.#read()
    this.#looking = false
    const wrong = typeof read === 'string' ? read : unusable(read, this.#tls)
    if (wrong !== null || typeof read === 'string') {
      if (this.#wrong === wrong) this.#complaints.warn(`${wrong}; the certificate that was good last stays in use`)
      this.#wrong = wrong
      return
    }
    this.#wrong = null
    if (same(read, this.#served)) return
    this.#served = read
    this.updateSecureContextOptions(contextOf(read))
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }

  async #read(): Promise<Pems | string> {
    const { cert, key, clientCa } = this.#tls
    try {
      return {
        cert: await readFile(cert),
        key: await readFile(key),
        clientCa: clientCa === null ? null : await readFile(clientCa),
      }
    } catch (fault) {
      return `cannot read the TLS files: ${words(fault)}`
    }
  }
}

const contextOf = ({ cert, key, clientCa }: Pems): SecureContextOptions => ({ cert, key, ...(clientCa === null ? {} : { ca: clientCa }) })

function readNow(path: string, what: string): Buffer {
  try {
    return readFileSync(path)
  } catch (fault) {
    throw new Error(`cannot read the TLS ${what} ${path}: ${words(fault)}`)
  }
}

/** Why these cannot be served, null where they can. Here, because the server would notice late, and not say which file it was. */
function unusable({ cert, key, clientCa }: Pems, tls: DoorTls): string | null {
  try {
    createSecureContext({ cert, key })
  } catch (fault) {
    return `the TLS files ${tls.cert} and ${tls.key} are not a pair that can be served: ${words(fault)}`
  }
  if (clientCa === null) return null
  // What holds no certificate would let nobody in, without a word.
  if (!clientCa.includes('-----BEGIN CERTIFICATE-----')) return `the TLS client CA ${tls.clientCa} holds no certificate`
  try {
    createSecureContext({ ca: clientCa })
    return null
  } catch (fault) {
    return `the TLS client CA ${tls.clientCa} cannot be used: ${words(fault)}`
  }
}

const same = (one: Pems, other: Pems): boolean =>
  one.cert.equals(other.cert) && one.key.equals(other.key) && (one.clientCa === null || other.clientCa?.equals(one.clientCa) === true)

const words = (fault: unknown): string => (fault instanceof Error ? fault.message : String(fault))
