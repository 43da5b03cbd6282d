// Exact money: decimals are read and printed to the last digit, and rounded up once.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDecimal, formatUsd, NANO_PER_USD, nanoUsdUp, parseDecimalUp, picoUsd } from '../../src/core/money.ts'

const places = fc.nat({ max: 18 })
const amount = fc.bigInt(-(10n ** 30n), 10n ** 30n)
const digits = (min: number, max: number) => fc.array(fc.nat({ max: 9 }), { minLength: min, maxLength: max }).map(each => each.join(''))

describe('printing', () => {
  it('is a plain decimal without trailing zeros, and reads back to itself', () => {
    fc.assert(
      fc.property(amount, places, (value, places) => {
        const text = formatDecimal(value, places)
        expect(text).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/)
        const magnitude = parseDecimalUp(text.replace('-', ''), places)
        expect(text.startsWith('-') ? -(magnitude ?? 0n) : magnitude).toBe(value)
      }),
    )
  })

  it.each([
    [0n, '0'],
    [1n, '0.000000001'],
    [10_250_000n, '0.01025'],
    [-NANO_PER_USD, '-1'],
    [-1n, '-0.000000001'],
    [10n ** 18n, '1000000000'],
    [2n ** 53n - 1n, '9007199.254740991'],
  ])('%s nano-USD is $%s', (value, text) => {
    expect(formatUsd(value)).toBe(text)
  })
})

describe('reading', () => {
  it('is exact or rounded up by less than one, whatever the exponent', () => {
    fc.assert(
      fc.property(digits(1, 20), digits(0, 20), fc.integer({ min: -40, max: 40 }), places, (whole, fraction, exponent, places) => {
        const text = `${whole}${fraction === '' ? '' : `.${fraction}`}e${exponent}`
        const read = parseDecimalUp(text, places)
        expect(read).not.toBeNull()
        // value * 10^places = digits * 10^(exponent - fraction + places), compared by cross-multiplication.
        const shift = exponent - fraction.length + places
        const [up, down] = [10n ** BigInt(Math.max(0, shift)), 10n ** BigInt(Math.max(0, -shift))]
        const exact = BigInt(whole + fraction) * up
        const scaled = (read ?? -1n) * down
        expect(scaled >= exact && scaled - exact < down).toBe(true)
      }),
    )
  })

  it('reads what JSON writes of a number as that number', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e30, noNaN: true, noDefaultInfinity: true }), value => {
        const text = JSON.stringify(value)
        const read = parseDecimalUp(text, 40)
        expect(Number(formatDecimal(read ?? -1n, 40))).toBeCloseTo(value, 12)
      }),
    )
  })

  it.each([
    ['1', 9, NANO_PER_USD],
    ['0.0000000001', 9, 1n],
    ['0', 9, 0n],
    ['0e40', 0, 0n],
    ['1e-9', 9, 1n],
    ['1E+2', 0, 100n],
    ['007', 0, 7n],
    ['500', 0, 500n],
    ['0.1', 0, 1n],
  ])('%s with %i places is %s', (text, places, expected) => {
    expect(parseDecimalUp(text, places)).toBe(expected)
  })

  it.each([
    '',
    ' ',
    '-1',
    '+1',
    '.5',
    '5.',
    '1e',
    'e5',
    '1e41',
    '1e-41',
    '1e999',
    '1,5',
    '1_000',
    '0x10',
    'NaN',
    'Infinity',
    '١',
    '1\n',
    ' 1',
    '9'.repeat(41),
    '1n',
    '1.2.3',
    '--1',
    '1e1.5',
  ])('refuses %j', text => {
    expect(parseDecimalUp(text, 9)).toBeNull()
  })

  it('takes time in proportion to the text, whatever it is', () => {
    expect(parseDecimalUp('9'.repeat(1_000_000), 9)).toBeNull()
    fc.assert(fc.property(fc.string(), text => ['bigint', 'object'].includes(typeof parseDecimalUp(text, 9))))
  })
})

it('rounds a sum of pico-USD up once, by less than a nano-USD', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 30n), pico => {
      const nano = nanoUsdUp(picoUsd(pico))
      expect(nano * 1_000n - pico).toBeGreaterThanOrEqual(0n)
      expect(nano * 1_000n - pico).toBeLessThan(1_000n)
    }),
  )
  expect(() => nanoUsdUp(picoUsd(-1n))).toThrow('a cost is not negative')
})
