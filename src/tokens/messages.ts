// What the counter and its worker say to each other. Bodies go one way, numbers the other; no text comes back.
import type { TokenCount } from '../core/token-bound.ts'

export interface Asked {
  readonly id: number
  readonly body: Uint8Array
}

export type Said = { readonly kind: 'ready' } | { readonly kind: 'counted'; readonly id: number; readonly count: TokenCount }
