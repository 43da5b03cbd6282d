// A call while it is read: what a reader has found so far, in one place for all formats. Holds sizes and names, never content.
import type { Call, MediaPart, ToolUses } from '../core/call.ts'
import type { ImageSize } from './image-size.ts'
import { TextTally } from './text-tally.ts'

/** More media parts, models or server tools than this are a mistake or an attack; each would cost memory. */
const MEDIA_MAX = 4_096
const NAMES_MAX = 64

/** Of a tool whose schema the provider brings: the largest are computer use, 735 tokens and 499 of a prompt for it (Anthropic's tool reference). */
const PROVIDED_TOOL_TOKENS = 1_300

export class CallDraft {
  readonly text: TextTally = new TextTally()
  readonly models: string[] = []
  readonly media: MediaPart[] = []
  readonly opaqueInputs: Set<string> = new Set()
  readonly serverTools: Set<string> = new Set()
  /** Null where one of them has no field that bounds its uses. */
  toolUses: ToolUses | null = null
  tokenIds = 0
  items = 0
  tools = false
  outputBound: bigint | null = null
  outputDefault: bigint | null = null
  leastBound: bigint | null = null
  choices = 1n
  streaming = false
  usageAsked = false
  serviceTier: string | null = null
  regional = false
  cacheWrite: Call['cacheWrite'] = 'none'
  background = false
  /** False where no field may be put in that bounds the output. */
  takesBound = true

  /** Names of what is too numerous to be kept; null while nothing is. */
  get overflow(): string | null {
    if (this.media.length > MEDIA_MAX) return `more than ${MEDIA_MAX} media parts`
    return this.models.length > NAMES_MAX || this.serverTools.size > NAMES_MAX ? `more than ${NAMES_MAX} models or tools` : null
  }

  addModel(name: string): void {
    if (this.models.length <= NAMES_MAX && !this.models.includes(name)) this.models.push(name)
  }

  /** The model that is asked for comes first, whatever was read before it. */
  askModel(name: string): void {
    const others = this.models.filter(other => other !== name)
    this.models.splice(0, this.models.length, name, ...others)
  }

  /** `size`: the image's own, where its payload tells it. */
  addMedia(part: Omit<MediaPart, keyof ImageSize>, size: ImageSize | null = null): void {
    if (this.media.length <= MEDIA_MAX) this.media.push({ ...part, width: size?.width ?? null, height: size?.height ?? null })
  }

  addServerTool(name: string): void {
    if (this.serverTools.size <= NAMES_MAX) this.serverTools.add(name)
  }

  /** A tool that the client runs, whose schema is not in the body. */
  addProvidedTool(): void {
    this.tokenIds += PROVIDED_TOOL_TOKENS
  }

  /** A declared bound: where several fields declare one, the largest counts. */
  bound(value: bigint): void {
    if (this.outputBound === null || value > this.outputBound) this.outputBound = value
  }

  /** A marker that makes the provider write its cache: the dearest one counts. */
  marker(ttl: '5m' | '1h'): void {
    if (this.cacheWrite !== '1h') this.cacheWrite = ttl
  }

  call(format: string, endpoint: string, generates: boolean): Call {
    return {
      format,
      endpoint,
      models: [...this.models],
      text: this.text.size(),
      inputTokenIds: BigInt(this.tokenIds),
      inputItems: this.items,
      tools: this.tools,
      media: [...this.media],
      opaqueInputs: [...this.opaqueInputs],
      serverTools: [...this.serverTools],
      ...(this.toolUses === null ? {} : { toolUses: this.toolUses }),
      generates,
      outputBound: generates ? this.outputBound : null,
      ...(this.leastBound === null ? {} : { leastBound: this.leastBound }),
      outputDefault: this.outputDefault,
      choices: this.choices > 0n ? this.choices : 1n,
      streaming: this.streaming,
      usageAsked: this.usageAsked,
      serviceTier: this.serviceTier,
      ...(this.regional ? { regional: true } : {}),
      cacheWrite: this.cacheWrite,
      background: this.background,
      ...(this.takesBound ? {} : { takesBound: false }),
    }
  }
}

/** Stands for a call that could not be read, so that its answer is metered all the same. Names no model: it has no price. */
export function unreadCall(format: string, endpoint: string, streaming: boolean): Call {
  const draft = new CallDraft()
  draft.streaming = streaming
  return draft.call(format, endpoint, true)
}
