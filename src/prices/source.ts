// The price source: the book of the current lists, built again only when the lists are other ones. Holds no prices itself.
import type { PriceList } from '../core/policy.ts'
import type { PriceBook } from '../core/price.ts'
import type { PriceSource } from '../ports.ts'
import { buildPriceBook } from './book.ts'

/** `getLists` answers the lists in force; while it answers the same array, the same book is given. */
export function createPriceSource(getLists: () => readonly PriceList[]): PriceSource {
  let lists: readonly PriceList[] | null = null
  let book: PriceBook | null = null
  return {
    current: () => {
      const now = getLists()
      if (book === null || now !== lists) {
        const next = buildPriceBook(now)
        if (book === null || next.hash !== book.hash) book = next
        lists = now
      }
      return book
    },
  }
}
