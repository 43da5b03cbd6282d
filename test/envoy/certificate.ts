// A self-signed certificate for tests, written in DER by hand so that no other program is needed. It is its own authority.
import { createSign, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SEQUENCE = 0x30
const ecdsaSha256 = (): Buffer => der(SEQUENCE, oid('2a8648ce3d040302'))

export interface CertificateSetting {
  /** Whether it is for 127.0.0.1 too. */
  readonly loopback?: boolean
  /** A URI among its names, a SPIFFE id say. */
  readonly uri?: string
  /** Default: localhost. */
  readonly commonName?: string
}

/** For `localhost` and what is asked for besides, from yesterday until tomorrow, as PEM files in a folder of its own. */
export function certificateFiles({ loopback = false, uri, commonName = 'localhost' }: CertificateSetting = {}): {
  readonly cert: string
  readonly key: string
  remove(): void
} {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = der(SEQUENCE, der(0x31, der(SEQUENCE, oid('550403'), der(0x0c, Buffer.from(commonName)))))
  const day = 86_400_000
  const extensions = der(
    SEQUENCE,
    // basicConstraints: an authority; subjectAltName: DNS localhost, IP 127.0.0.1, a URI.
    der(SEQUENCE, oid('551d13'), der(0x04, der(SEQUENCE, der(0x01, Buffer.from([0xff]))))),
    der(
      SEQUENCE,
      oid('551d11'),
      der(
        0x04,
        der(
          SEQUENCE,
          der(0x82, Buffer.from('localhost')),
          ...(loopback ? [der(0x87, Buffer.from([127, 0, 0, 1]))] : []),
          ...(uri === undefined ? [] : [der(0x86, Buffer.from(uri))]),
        ),
      ),
    ),
  )
  const body = der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaSha256(),
    name,
    der(SEQUENCE, time(Date.now() - day), time(Date.now() + day)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
  const signature = createSign('sha256').update(body).sign(privateKey)
  const certificate = der(SEQUENCE, body, ecdsaSha256(), der(0x03, Buffer.from([0]), signature))
  const folder = mkdtempSync(join(tmpdir(), 'purser-certificate-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  writeFileSync(cert, pem('CERTIFICATE', certificate))
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return { cert, key, remove: () => rmSync(folder, { recursive: true }) }
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))

/** UTCTime: two digits of the year, to the second. */
const time = (ms: number): Buffer => der(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))

const pem = (what: string, bytes: Buffer): string =>
  `-----BEGIN ${what}-----\n${bytes.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END ${what}-----\n`
