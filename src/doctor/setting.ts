// One value of Envoy's configuration, read without trust: whatever is missing or of another kind reads as not set. Knows no rules.

/** Names are given as the protos have them; the camelCase that protobuf also allows is found too. */
export class Setting {
  readonly #value: unknown

  constructor(value: unknown) {
    this.#value = value ?? undefined
  }

  at(...names: readonly string[]): Setting {
    let value = this.#value
    for (const name of names) value = isObject(value) ? (value[name] ?? value[camel(name)]) : undefined
    return new Setting(value)
  }

  get isSet(): boolean {
    return this.#value !== undefined
  }

  list(): readonly Setting[] {
    return Array.isArray(this.#value) ? this.#value.map(member => new Setting(member)) : []
  }

  /** The members of a map whose keys are names that people gave. */
  entries(): readonly (readonly [string, Setting])[] {
    return isObject(this.#value) ? Object.entries(this.#value).map(([name, value]) => [name, new Setting(value)] as const) : []
  }

  text(): string | null {
    return typeof this.#value === 'string' ? this.#value : null
  }

  texts(): readonly string[] {
    return this.list().flatMap(member => member.text() ?? [])
  }

  on(): boolean {
    return this.#value === true
  }

  /** Protobuf's JSON writes 64 bits as text, and a percentage as `{ value }`. */
  number(): number | null {
    const value = isObject(this.#value) ? this.#value['value'] : this.#value
    if (typeof value === 'number') return value
    return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : null
  }

  /** A duration, as `1.5s`, in milliseconds. */
  ms(): number | null {
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(this.text() ?? '')?.[1]
    return seconds === undefined ? null : Math.round(Number(seconds) * 1_000)
  }

  /** The last word of `@type`: the message that an Any holds. */
  type(): string {
    return this.at('@type').text()?.split('.').at(-1) ?? ''
  }

  /** Whether any text in it, at any depth, is this one. */
  mentions(text: string): boolean {
    return mentions(this.#value, text)
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

function mentions(value: unknown, text: string): boolean {
  if (value === text) return true
  return typeof value === 'object' && value !== null && Object.values(value).some(member => mentions(member, text))
}
