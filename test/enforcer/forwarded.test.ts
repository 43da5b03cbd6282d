// The forwarded certificate: the last element is the proxy's own, whatever a client or a certificate's subject writes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { forwardedUri } from '../../src/enforcer/forwarded.ts'

const OWN = 'By=spiffe://lab/envoy;Hash=00ff;Subject="CN=red,O=\\"acme\\"; Inc";URI=spiffe://lab/ns/x/sa/red;DNS=red.lab'

describe('the identity in x-forwarded-client-cert', () => {
  it.each([
    [[OWN], 'spiffe://lab/ns/x/sa/red'],
    [['By=a;URI=spiffe://lab/first', OWN], 'spiffe://lab/ns/x/sa/red'],
    [[`${OWN},By=b;URI=spiffe://lab/next`], 'spiffe://lab/next'],
    [['URI="spiffe://lab/quoted"'], 'spiffe://lab/quoted'],
    [['uri=spiffe://lab/lower ; By=b'], 'spiffe://lab/lower'],
    [['Subject="CN=x;URI=spiffe://lab/forged"'], null],
    [['Subject="CN=x,URI=spiffe://lab/forged"'], null],
    [['Subject="CN=x\\",URI=spiffe://lab/forged";Hash=1'], null],
    [['URI='], null],
    [['Hash=1'], null],
    [[''], null],
    [[], null],
  ])('of %j is %j', (lines, uri) => {
    expect(forwardedUri(lines)).toBe(uri)
  })

  it('is never what a client put before the element of the proxy', () => {
    const hostile = fc.string({ unit: fc.constantFrom('"', '\\', ',', ';', 'URI=', 'spiffe://evil', 'a', ' ', '='), maxLength: 30 })
    fc.assert(
      fc.property(hostile, hostile, (client, subject) => {
        // A subject is quoted and escaped as RFC 2253 says.
        const own = `Hash=1;Subject="CN=${subject.replace(/["\\,;+<>=]/g, '\\$&')}";URI=spiffe://lab/me`
        expect(forwardedUri([own])).toBe('spiffe://lab/me')
        expect(forwardedUri([`${client},${own}`])).toBe('spiffe://lab/me')
        expect(forwardedUri([client, own])).toBe('spiffe://lab/me')
      }),
      { numRuns: 20_000 },
    )
  })
})
