// What an answer of Bedrock, or one event of its stream, tells a meter: of Converse and of every family of models alike. Keeps no text.
import type { Call } from '../core/call.ts'
import type { Delivered, Usage } from '../core/usage.ts'
import { BedrockUsageReport } from './bedrock-usage.ts'
import { members, type Place } from './json-place.ts'
import { hidesReasoning } from './reasoning.ts'
import { TextTally } from './text-tally.ts'

const UNMEASURED: Place = { measure: null }

/** Members that are no output: labels, echoes of the prompt, traces of guardrails, vectors and pictures. */
const NO_OUTPUT = [
  'id type role model object created index stop_reason stopReason stop_sequence stop completionReason finish_reason finishReason event_type',
  'is_finished generation_id response_id response_type system_fingerprint contentBlockIndex metrics additionalModelResponseFields',
  'prompt chat_history texts response meta message messageStart messageStop contentBlockStop performanceConfig signature toolUseId',
  'embedding embeddings embeddingsByType images artifacts seeds p amazon-bedrock-trace amazon-bedrock-guardrailAction',
]
  .join(' ')
  .split(' ')

/** Members that say that the model is done: a text, or true. */
const ENDINGS = ['stop_reason', 'stopReason', 'completionReason', 'finish_reason', 'finishReason', 'is_finished']

export class BedrockAnswer {
  readonly text: TextTally = new TextTally()
  readonly report: BedrockUsageReport = new BedrockUsageReport()
  deltaEvents = 0
  /** Of the document being read: whether it ended, and whether it brought a usage object, or Bedrock's own numbers. */
  whole = false
  reportedHere = false
  billedHere = false
  /** A member said that the model is done. */
  finished = false
  #thinks = false
  /** The model that a prompt router chose. */
  #routed: string | null = null

  begin(): void {
    this.whole = false
    this.reportedHere = false
    this.billedHere = false
  }

  /** The model is the one that the path names: bodies name it without region and version, which decide the price. */
  usage(call: Call): Usage | null {
    return this.report.reported || this.report.billed ? this.report.usage(call, this.#model(call)) : null
  }

  delivered(call: Call): Delivered {
    const model = this.#model(call)
    return {
      text: this.text.size(),
      deltaEvents: this.deltaEvents,
      hiddenReasoning: this.#thinks || hidesReasoning(model ?? ''),
      model: this.#routed,
    }
  }

  #model(call: Call): string | null {
    return this.#routed ?? call.models[0] ?? null
  }

  /** The root of a whole answer, and of any event: their members do not collide. What is not named is output. */
  place(): Place {
    const { report } = this
    const usage = report.usagePlace(() => (this.reportedHere = true))
    const metadata = this.#metadata(usage)
    const labels = this.#labels()
    const block = this.#block()
    return {
      measure: { tally: this.text, mode: 'text' },
      leave: () => (this.whole = true),
      members: new Map<string, Place>([
        ...labels,
        ...this.#loose(),
        ...(metadata.members ?? []),
        ['metadata', metadata],
        ['amazon-bedrock-invocationMetrics', { ...report.metricsPlace(), leave: () => (this.billedHere = true) }],
        // Anthropic.
        ['content', { items: block }],
        ['content_block', block],
        ['delta', block],
        ['message', { measure: null, members: members({ usage }) }],
        // Converse and Nova.
        ['output', { members: members({ message: { members: members({ role: UNMEASURED, content: { items: block } }) } }) }],
        ['start', block],
        ['contentBlockStart', { members: members({ start: block, contentBlockIndex: UNMEASURED }) }],
        ['contentBlockDelta', { members: members({ delta: block, contentBlockIndex: UNMEASURED }) }],
        ...this.#families(labels, block),
      ]),
    }
  }

  /** Titan's total comes once, at the end: also where a guardrail ended the answer, and nothing else says so. */
  #loose(): readonly [string, Place][] {
    return this.report.looseMembers().map(([name, place]) => {
      const enter = (): void => {
        if (name.startsWith('total')) this.finished = true
      }
      return [name, { ...place, enter, measure: null }]
    })
  }

  /** Converse's `metadata`, and the same members of a whole answer. */
  #metadata(usage: Place): Place {
    const routed: Place = {
      scalar: ({ kind, text, bytes }) => {
        if (kind === 'string' && bytes <= 256) this.#routed = text
      },
    }
    return {
      measure: null,
      members: members({
        usage,
        serviceTier: { measure: null, members: members({ type: { scalar: ({ text }) => (this.report.serviceTier = text || null) } }) },
        performanceConfig: {
          measure: null,
          members: members({ latency: { scalar: ({ text }) => (this.report.latency = text || null) } }),
        },
        trace: { measure: null, members: members({ promptRouter: { members: members({ invokedModelId: routed }) } }) },
      }),
    }
  }

  #labels(): readonly [string, Place][] {
    const ending: Place = {
      measure: null,
      scalar: ({ kind }) => (this.finished ||= kind === 'string' || kind === 'true'),
    }
    return [...NO_OUTPUT.map((name): [string, Place] => [name, UNMEASURED]), ...ENDINGS.map((name): [string, Place] => [name, ending])]
  }

  /** A block of content, its start, or a part of it, of Anthropic's kind or Converse's. */
  #block(): Place {
    const json: Place = { measure: { tally: this.text, mode: 'json' } }
    const thinks: Place = { enter: () => (this.#thinks = true), members: members({ signature: UNMEASURED }) }
    const toolUse: Place = { members: members({ toolUseId: UNMEASURED, type: UNMEASURED, input: json }) }
    return {
      members: new Map<string, Place>([
        ...this.#labels(),
        ['thinking', thinks],
        ['reasoningContent', { ...thinks, members: members({ signature: UNMEASURED, reasoningText: thinks }) }],
        ['input', json],
        ['toolUse', toolUse],
        ['toolResult', toolUse],
      ]),
    }
  }

  /** Titan, Cohere, Mistral, AI21, and the OpenAI-shaped ones. */
  #families(labels: readonly [string, Place][], block: Place): readonly [string, Place][] {
    const text: Place = { members: new Map(labels) }
    const choice: Place = { members: new Map<string, Place>([...labels, ['message', block], ['delta', block]]) }
    const data: Place = { members: members({ tokens: UNMEASURED }) }
    return [
      ['results', { items: { members: new Map([...labels, ['tokenCount', this.report.resultTokens()]]) } }],
      ['generations', { items: text }],
      ['outputs', { items: text }],
      ['choices', { items: choice }],
      ['completions', { items: { members: new Map<string, Place>([...labels, ['data', data]]) } }],
    ]
  }
}
