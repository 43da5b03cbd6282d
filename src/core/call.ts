// A call: what a request asks of a model, free of any provider's format. Holds sizes and names, never content.

/** Bytes of prompt-bearing text by class, counted in one pass; what tokens they can become is `estimate.ts`'s business. */
export interface TextSize {
  /** ASCII letters. */
  readonly letters: number
  /** ASCII digits. */
  readonly digits: number
  /** Spaces, tabs, line ends. */
  readonly spaces: number
  /** The other ASCII bytes. */
  readonly marks: number
  /** Bytes of 0x80 and above. */
  readonly high: number
  /** Bytes (of any class above, counted there too) in runs of more than 24 ASCII letters, digits and `+ / - _`: base64, hex, ids. */
  readonly dense: number
}

export const NO_TEXT: TextSize = { letters: 0, digits: 0, spaces: 0, marks: 0, high: 0, dense: 0 }

export const textBytes = (size: TextSize): number => size.letters + size.digits + size.spaces + size.marks + size.high

/** A payload that is not text: taken out of the text, and bounded by a rule of its kind. */
export interface MediaPart {
  readonly kind: 'image' | 'audio' | 'video' | 'document'
  /** Decoded bytes where the payload is in the body, null for a reference. */
  readonly bytes: number | null
  /** OpenAI's `detail`, where given. */
  readonly detail: string | null
  /** Pixels of an image whose payload tells them; both null where it does not. */
  readonly width: number | null
  readonly height: number | null
}

/** Fields that bound how often tools are used: one a tool, or one for all of them. */
export interface ToolUses {
  /** What each declares; null where it is not set. */
  readonly declared: readonly (bigint | null)[]
  /** The providers that are known to take them. */
  readonly knownTo: readonly string[]
}

export interface Call {
  /** The name of the wire format that read it, for instance `openai-chat`. */
  readonly format: string
  /** The endpoint in its shortest common form, for instance `chat/completions`, `messages`: what permissions match. */
  readonly endpoint: string
  /** The models that may answer, as the client spelt them; the first is the one asked for. Never empty. */
  readonly models: readonly string[]
  readonly text: TextSize
  /** Tokens that the client sent as token numbers. */
  readonly inputTokenIds: bigint
  /** Messages, prompts or items: each costs a few tokens of framing. */
  readonly inputItems: number
  /** Whether tools or a response schema are declared: they bring hidden prompts. */
  readonly tools: boolean
  readonly media: readonly MediaPart[]
  /** Names of inputs whose size the body does not show (file ids, URLs, stored conversations). */
  readonly opaqueInputs: readonly string[]
  /** Names of tools that the provider runs by itself, which bill beyond any bound made from the body. */
  readonly serverTools: readonly string[]
  /** The fields that bound how often those are used; absent where one of them has no such field. */
  readonly toolUses?: ToolUses
  /** Whether the endpoint generates output at all (embeddings do not). */
  readonly generates: boolean
  /** The declared bound on output tokens of one choice; where several fields declare one, the largest. */
  readonly outputBound: bigint | null
  /** The smallest bound that the request's other fields allow: what it lets a model think lies within it. Absent: any. */
  readonly leastBound?: bigint
  /** What the provider applies where no bound is declared (OpenAI completions: 16); null where it is the model's maximum. */
  readonly outputDefault: bigint | null
  /** Answers asked for: `n`, `best_of`, prompts of an array; at least 1. */
  readonly choices: bigint
  readonly streaming: boolean
  /** Whether the client itself asked for usage in the stream. */
  readonly usageAsked: boolean
  /** The service tier asked for, null for the default. */
  readonly serviceTier: string | null
  /** True where the answer is to be made in a region of the caller's choice, which some models cost more for. */
  readonly regional?: boolean
  /** The dearest cache write that a marker in the body can cause. */
  readonly cacheWrite: 'none' | '5m' | '1h'
  /** Whether the answer comes later, to be fetched by another request. */
  readonly background: boolean
  /** The most that it is charged for besides tokens without asking a tool, by kind, for instance `audio_second` -> 90; absent: nothing. */
  readonly charges?: ReadonlyMap<string, bigint>
  /** False where its body has no field that bounds the output, so that none can be put in. */
  readonly takesBound?: boolean
  /** True for a batch: as many requests as its choices, each with a prompt of its own, at the batch rate. */
  readonly batch?: boolean
}
