// The most tokens that a model makes of one image, by the family's rule for its dimensions; its largest where they are not known. No text here.
import type { MediaPart } from './call.ts'

/** An image of a call: its dimensions where its payload tells them, else its decoded bytes, else nothing. */
export type ImagePart = Pick<MediaPart, 'bytes' | 'detail' | 'width' | 'height'>

interface Pixels {
  readonly width: number
  readonly height: number
}

/** `model` in lower case. Sources: the providers' vision guides, recorded answers. Never 0. */
export function imageBound(part: ImagePart, provider: string | null, model: string): bigint {
  const { width, height } = part
  return BigInt(Math.ceil(rule(part, width === null || height === null ? null : { width, height }, provider, model)))
}

function rule(part: ImagePart, pixels: Pixels | null, provider: string | null, model: string): number {
  if (/claude/.test(model)) return claudeTokens(pixels, model)
  if (/gemini|gemma/.test(model)) return geminiTokens(pixels, model)
  if (/gpt|(^|[/.])o\d(-|$)|computer-use/.test(model) || provider === 'openai') return openAiTokens(part, pixels, model)
  // Squares of 16 pixels with a mark at the end of each row, at most 1,024 pixels a side.
  if (/mistral|ministral|magistral|pixtral/.test(model))
    return pixels === null ? LARGEST : Math.max(300, Math.min(4_200, squares(pixels, 16, 1)))
  // Whoever it is: no family counts squares smaller than 16 pixels, or more than 16,384 of them.
  return pixels === null ? Math.max((part.bytes ?? 0) / 4, LARGEST) : Math.max(LARGEST, Math.min(17_000, squares(pixels, 16, 1)))
}

const LARGEST = 4_800

/** Squares of 28 pixels, of an image that is first made to fit: about 1.15 megapixels, from Claude 4.7 on 3.75. */
function claudeTokens(pixels: Pixels | null, model: string): number {
  const older = /claude-(instant|v?[123]\b|3-|(opus|sonnet|haiku)-4(-[0-6](\b|$)|-\d{8}|@|$))/.test(model)
  const most = older ? 1_600 : LARGEST
  return pixels === null ? most : Math.min(most, Math.max(squares(pixels, 28), (pixels.width * pixels.height) / 750))
}

/** From Gemini 3 on by the resolution asked for, at most 2,240 (Google's guide to media resolution); before, 258 for small images, else for each crop of 256 to 768 pixels, and the whole. */
function geminiTokens(pixels: Pixels | null, model: string): number {
  if (/gemini-[3-9]/.test(model)) return 2_300
  if (pixels === null) return 4_200
  const crop = Math.min(768, Math.max(256, Math.floor(Math.min(pixels.width, pixels.height) / 1.5)))
  return Math.min(4_200, 258 * (squares(pixels, crop) + 1))
}

/** The largest that a newer model takes, in squares of 32 pixels; `original` is sent as it is. */
const NEWER = /gpt-(5\.[2-9]|[6-9])/
const ORIGINAL_SQUARES = 10_000

/** Tiles of 512 pixels or squares of 32: which of the two a model counts is not in its name, so the larger result stands. */
function openAiTokens({ detail }: ImagePart, pixels: Pixels | null, model: string): number {
  // Images that are edited: 65 tokens, 129 for each of 4 tiles, and with high fidelity up to 6,144 more (OpenAI's image guide).
  if (/gpt-image|chatgpt-image/.test(model)) return 7_300
  const mini = /gpt-4o-mini/.test(model)
  if (detail === 'low') return mini ? 2_833 : 640
  if (mini) return 2_833 + 5_667 * tiles(pixels)
  const most = detail === 'original' ? ORIGINAL_SQUARES : NEWER.test(model) ? 2_500 : 1_536
  const factor = /nano/.test(model) || pixels === null ? 2.46 : /mini/.test(model) ? 1.72 : 1.2
  const bySquares = factor * Math.min(most, pixels === null ? most : squares(pixels, 32))
  return Math.max(bySquares, 85 + 170 * tiles(pixels), pixels === null ? 3_800 : 0)
}

/** After it is made to fit into 2,048 by 2,048 pixels, and its shorter side to 768: at most 8. */
function tiles(pixels: Pixels | null): number {
  if (pixels === null) return 8
  const long = Math.max(pixels.width, pixels.height)
  const short = Math.min(pixels.width, pixels.height)
  const [scaled, over] = 2_048 * short > 768 * long && short > 768 ? [768, short] : long > 2_048 ? [2_048, long] : [1, 1]
  return Math.ceil((long * scaled) / over / 512) * Math.ceil((short * scaled) / over / 512)
}

/** Squares of `side` pixels that cover an image, with `extra` tokens a row. */
const squares = ({ width, height }: Pixels, side: number, extra = 0): number => (Math.ceil(width / side) + extra) * Math.ceil(height / side)
