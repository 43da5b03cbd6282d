// Exact money: integers only, parsed from and printed to decimal text. Never a float, never a rounding that is not named.
import { assert } from './assert.ts'

/** Billionths of a US dollar: the unit of every USD budget line. */
export type NanoUsd = bigint & { readonly __brand: 'NanoUsd' }
/** Trillionths of a US dollar: the unit of a price per token, and of the sum of a request's parts. */
export type PicoUsd = bigint & { readonly __brand: 'PicoUsd' }

export const NANO_PER_USD = 1_000_000_000n
export const PICO_PER_NANO = 1_000n

export const nanoUsd = (value: bigint): NanoUsd => value as NanoUsd
export const picoUsd = (value: bigint): PicoUsd => value as PicoUsd

/** Rounds a request's sum up to whole nano-USD: done once a request, for all its USD lines. */
export function nanoUsdUp(pico: PicoUsd): NanoUsd {
  assert(pico >= 0n, 'a cost is not negative')
  return nanoUsd((pico + PICO_PER_NANO - 1n) / PICO_PER_NANO)
}

/**
 * Reads a non-negative decimal, with or without an exponent (as JSON writes numbers), to an integer of `10^-places`,
 * rounded up. Null for anything else, for more than 40 digits, and for exponents beyond ±40.
 */
export function parseDecimalUp(text: string, places: number): bigint | null {
  const match = /^(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (match === null) return null
  const [, whole = '', fraction = '', exponentText = '0'] = match
  const exponent = Number(exponentText)
  if (Math.abs(exponent) > 40) return null
  const digits = BigInt(whole + fraction)
  const shift = places - fraction.length + exponent
  if (shift >= 0) return digits * 10n ** BigInt(shift)
  const divisor = 10n ** BigInt(-shift)
  return (digits + divisor - 1n) / divisor
}

/** Prints an integer of `10^-places` as a plain decimal: no exponent, no trailing zeros, a leading minus where it is negative. */
export function formatDecimal(value: bigint, places: number): string {
  const negative = value < 0n
  const digits = (negative ? -value : value).toString().padStart(places + 1, '0')
  const whole = digits.slice(0, digits.length - places)
  const fraction = digits.slice(digits.length - places).replace(/0+$/, '')
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** Prints nano-USD as dollars, for instance `0.01025`. */
export const formatUsd = (value: bigint): string => formatDecimal(value, 9)
