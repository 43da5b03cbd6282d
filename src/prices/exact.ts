// Exact rates: a price as it is written becomes an integer once, and is multiplied and rounded up once. Never float arithmetic.
import { assert } from '../core/assert.ts'
import { type PicoUsd, parseDecimalUp, picoUsd } from '../core/money.ts'

/** A rate in units of 10^-18 pico-USD a token (that is 10^-24 USD a million tokens): fine enough to hold every listed price exactly. */
export type FineRate = bigint & { readonly __brand: 'FineRate' }

const FINE_PER_PICO = 10n ** 18n

/** A factor as a fraction of integers. */
export interface Factor {
  readonly over: bigint
  readonly under: bigint
}

export const ONCE: Factor = { over: 1n, under: 1n }

export const times = (a: Factor, b: Factor): Factor => ({ over: a.over * b.over, under: a.under * b.under })

/** A price list's number, in USD a million tokens, by its shortest decimal text: what was written there, not its binary neighbour. */
export function fineRate(usdPerMillion: number): FineRate {
  const fine = parseDecimalUp(String(usdPerMillion), 24)
  assert(fine !== null, `a listed price is a non-negative decimal, not ${usdPerMillion}`)
  return fine as FineRate
}

export const fineRateOfPico = (pico: bigint): FineRate => (pico * FINE_PER_PICO) as FineRate

/** The rate times a factor, rounded up to whole pico-USD a token: the only rounding that a rate ever gets. */
export function picoUp(rate: FineRate, factor: Factor): PicoUsd {
  assert(rate >= 0n && factor.over >= 0n && factor.under > 0n, 'a rate is not negative')
  const divisor = FINE_PER_PICO * factor.under
  return picoUsd((rate * factor.over + divisor - 1n) / divisor)
}

/** A price of audio, in USD an hour, as pico-USD a second, rounded up. */
export function picoPerSecond(usdPerHour: number): PicoUsd {
  const pico = parseDecimalUp(String(usdPerHour), 12)
  assert(pico !== null, `a listed price is a non-negative decimal, not ${usdPerHour}`)
  return picoUsd((pico + 3_599n) / 3_600n)
}

/** A price of calls, in USD a thousand, as pico-USD a call, rounded up. */
export function picoPerCall(usdPerThousand: number): PicoUsd {
  const pico = parseDecimalUp(String(usdPerThousand), 9)
  assert(pico !== null, `a listed price is a non-negative decimal, not ${usdPerThousand}`)
  return picoUsd(pico)
}
