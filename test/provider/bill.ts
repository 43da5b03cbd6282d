// The fake provider's bill: what it charges and when, exact. It shares no code with what it is the judge of.
import type { ListedPrice } from './settings.ts'

/** USD a million tokens, as the real providers list them. */
const LIST: Readonly<Record<string, ListedPrice>> = {
  'gpt-4o': { input: '2.5', output: '10' },
  'gpt-4o-mini': { input: '0.15', output: '0.6' },
  'gpt-4.1': { input: '2', output: '8' },
  'gpt-4.1-mini': { input: '0.4', output: '1.6' },
  'gpt-4.1-nano': { input: '0.1', output: '0.4' },
  'gpt-5': { input: '1.25', output: '10' },
  'gpt-5-mini': { input: '0.25', output: '2' },
  'gpt-5-nano': { input: '0.05', output: '0.4' },
  'gpt-3.5-turbo-instruct': { input: '1.5', output: '2' },
  'text-embedding-3-small': { input: '0.02', output: '0' },
  'text-embedding-3-large': { input: '0.13', output: '0' },
  'claude-sonnet-4-5': { input: '3', output: '15' },
  'claude-haiku-4-5': { input: '1', output: '5' },
  'claude-3-5-haiku': { input: '0.8', output: '4' },
  'claude-opus-4-5': { input: '5', output: '25' },
  '*': { input: '2.5', output: '10' },
}

export interface BilledCall {
  readonly key: string
  readonly tag: string | null
  readonly model: string
  readonly api: string
  readonly stream: boolean
  readonly inputTokens: number
  readonly outputTokens: number
  /** `whole`, or how it ended: `aborted`, or the fault. */
  readonly outcome: string
}

/** The calls that `/bill` tells one by one; the sums go on. */
const CALLS_MAX = 20_000

export class Bill {
  readonly #prices: ReadonlyMap<string, { readonly input: bigint; readonly output: bigint }>
  #total = 0n
  #requests = 0
  #billed = 0
  #open = 0
  #calls: (BilledCall & { usd: string })[] = []
  #byKey = new Map<string, bigint>()
  #byModel = new Map<string, bigint>()
  #byTag = new Map<string, bigint>()

  constructor(prices: Readonly<Record<string, ListedPrice>>) {
    const all = Object.entries({ ...LIST, ...prices })
    this.#prices = new Map(all.map(([model, { input, output }]) => [model, { input: picoPerToken(input), output: picoPerToken(output) }]))
  }

  /** Models with a price of their own. */
  get models(): readonly string[] {
    return [...this.#prices.keys()].filter(model => model !== '*')
  }

  opened(): void {
    this.#requests++
    this.#open++
  }

  closed(): void {
    this.#open--
  }

  /** Charges a call: its tokens in pico-USD, summed, and rounded up to nano-USD once. Answers the nano-USD. */
  charge(call: BilledCall): bigint {
    const price = this.#prices.get(call.model) ?? this.#prices.get('*') ?? { input: 0n, output: 0n }
    const pico = BigInt(call.inputTokens) * price.input + BigInt(call.outputTokens) * price.output
    const nano = (pico + 999n) / 1_000n
    this.#total += nano
    this.#billed++
    add(this.#byKey, call.key, nano)
    add(this.#byModel, call.model, nano)
    if (call.tag !== null) add(this.#byTag, call.tag, nano)
    if (this.#calls.length < CALLS_MAX) this.#calls.push({ ...call, usd: usd(nano) })
    return nano
  }

  reset(): void {
    this.#total = 0n
    this.#requests = 0
    this.#billed = 0
    this.#calls = []
    for (const sums of [this.#byKey, this.#byModel, this.#byTag]) sums.clear()
  }

  read(): BillReport {
    return {
      totalUsd: usd(this.#total),
      totalNanoUsd: this.#total.toString(),
      requests: this.#requests,
      billed: this.#billed,
      open: this.#open,
      byKey: texts(this.#byKey),
      byModel: texts(this.#byModel),
      byTag: texts(this.#byTag),
      calls: [...this.#calls],
    }
  }
}

/** USD as decimal texts. `requests` came, `billed` were charged, `open` are not over. `byKey` is by credential, without `Bearer`. */
export interface BillReport {
  readonly totalUsd: string
  readonly totalNanoUsd: string
  readonly requests: number
  readonly billed: number
  readonly open: number
  readonly byKey: Readonly<Record<string, string>>
  readonly byModel: Readonly<Record<string, string>>
  readonly byTag: Readonly<Record<string, string>>
  readonly calls: readonly (BilledCall & { readonly usd: string })[]
}

const add = (sums: Map<string, bigint>, name: string, nano: bigint) => sums.set(name, (sums.get(name) ?? 0n) + nano)
const texts = (sums: ReadonlyMap<string, bigint>) => Object.fromEntries([...sums].map(([name, nano]) => [name, usd(nano)]))

/** Pico-USD a token is USD a million tokens with six places, exactly. */
function picoPerToken(usdPerMillion: string): bigint {
  const match = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(usdPerMillion)
  if (match === null) throw new Error(`a price is USD a million tokens with at most six places, not ${usdPerMillion}`)
  return BigInt((match[1] ?? '') + (match[2] ?? '').padEnd(6, '0'))
}

function usd(nano: bigint): string {
  const digits = nano.toString().padStart(10, '0')
  const fraction = digits.slice(-9).replace(/0+$/, '')
  return digits.slice(0, -9) + (fraction === '' ? '' : `.${fraction}`)
}
