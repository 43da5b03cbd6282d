// How many tokens an image that is generated can come to, by its size, its quality and the model that is asked. A bound; reads no bytes.

import { largest } from '../core/token-bound.ts'

/** What a request says of the images it asks for; null where it leaves the choice to the model. */
export interface ImagesAsked {
  size: string | null
  quality: string | null
  /** Images to be shown while one is made. */
  partials: bigint
}

/** A quality: tokens of 1024 x 1024 pixels at the models of the first generation, and steps along the longer side at later ones. */
interface Quality {
  readonly square: bigint
  readonly steps: bigint
}

/** Sources: the token table of OpenAI's image guide (272, 1,056, 4,160 a square); what its price calculator computes for gpt-image-2. */
const DEAREST: Quality = { square: 4_160n, steps: 96n }
const QUALITIES: ReadonlyMap<string, Quality> = new Map([
  ['low', { square: 272n, steps: 16n }],
  ['medium', { square: 1_056n, steps: 48n }],
  ['high', DEAREST],
])

const FIRST_GENERATION = /(?:^|\/)gpt-image-1(?:$|[-.])/
const LATER_GENERATION = /(?:^|\/)(?:gpt-image-[2-9]|chatgpt-image)/
/** The largest that each makes where the request leaves it open: 1024 x 1536, and a square of 8,294,400 pixels. */
const LARGEST_FIRST = [1_024n, 1_536n] as const
const LARGEST_LATER = [2_880n, 2_880n] as const

/** Source: the image guide. */
const PARTIAL_TOKENS = 100n
/** Text that later models write before they draw: reported as output, and nowhere published. */
const WORDS_TOKENS = 500n

/** The most tokens of output that one image comes to, at the dearest of the models. */
export function imageTokens(asked: ImagesAsked, models: readonly string[]): bigint {
  const most = largest(models.map(model => tokensOf(asked, model.toLowerCase())))
  return most + asked.partials * PARTIAL_TOKENS + WORDS_TOKENS
}

function tokensOf({ size, quality }: ImagesAsked, model: string): bigint {
  const made = QUALITIES.get(quality ?? '') ?? DEAREST
  const first = !LATER_GENERATION.test(model)
  const later = !FIRST_GENERATION.test(model)
  const byArea = first ? areaTokens(made, sizeOf(size) ?? LARGEST_FIRST) : 0n
  const bySteps = later ? stepTokens(made, sizeOf(size) ?? LARGEST_LATER) : 0n
  return byArea > bySteps ? byArea : bySteps
}

function sizeOf(size: string | null): readonly [bigint, bigint] | null {
  const sides = /^(\d{1,5})x(\d{1,5})$/.exec(size ?? '')
  const [width, height] = [BigInt(sides?.[1] ?? 0), BigInt(sides?.[2] ?? 0)]
  return width > 0n && height > 0n ? [width, height] : null
}

const areaTokens = ({ square }: Quality, [width, height]: readonly [bigint, bigint]): bigint => up(square * width * height, 1_024n * 1_024n)

function stepTokens({ steps }: Quality, [width, height]: readonly [bigint, bigint]): bigint {
  const [short, long] = width < height ? [width, height] : [height, width]
  const across = (2n * steps * short + long) / (2n * long)
  return up(steps * across * (2_000_000n + width * height), 4_000_000n)
}

const up = (over: bigint, under: bigint): bigint => (over + under - 1n) / under
