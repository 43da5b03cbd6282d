// Listing all objects of a resource, page by page, as of one moment. A page that has expired begins the list anew, without pages.
import { setImmediate } from 'node:timers/promises'
import { LIST_PAGE, LIST_PAGE_BYTES_MAX, OBJECTS_SLICE } from '../limits.ts'
import type { Api, GetOptions } from './api.ts'
import { brokenBy, type Failure, failureOf, textOf } from './failure.ts'
import { isRawObject, keyOf, type RawObject } from './raw-object.ts'

export type ListOutcome =
  /** `version` is where a watch goes on from, `keys` are all that there are. */
  { readonly kind: 'listed'; readonly version: string; readonly keys: ReadonlySet<string> } | Failure

interface Page {
  readonly items: readonly unknown[]
  readonly version: string
  readonly next: string
}

/** Lists `path`; `take` is told of every object as it comes, also where the list fails later on. Gives other work its turn between objects. */
export async function listAll(api: Api, path: string, options: GetOptions, take: (object: RawObject) => void): Promise<ListOutcome> {
  let keys = new Set<string>()
  let token = ''
  let paged = true
  for (;;) {
    const page = await readPage(
      api,
      path,
      paged ? `limit=${LIST_PAGE}${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}` : '',
      options,
    )
    if ('kind' in page) {
      if (page.status !== 410 || token === '') return page
      ;[keys, token, paged] = [new Set(), '', false]
      continue
    }
    for (const [index, object] of page.items.entries()) {
      if (index % OBJECTS_SLICE === 0) await setImmediate()
      if (!isRawObject(object)) continue
      keys.add(keyOf(object))
      take(object)
    }
    if (page.next === '') return { kind: 'listed', version: page.version, keys }
    token = page.next
  }
}

async function readPage(api: Api, path: string, query: string, options: GetOptions): Promise<Page | Failure> {
  try {
    const answer = await api.get(`${path}?${query}`, options)
    if (answer.status !== 200) return await failureOf(answer)
    const { items, metadata } = JSON.parse(await textOf(answer.body, LIST_PAGE_BYTES_MAX)) as {
      items?: unknown
      metadata?: { resourceVersion?: unknown; continue?: unknown }
    }
    const version = metadata?.resourceVersion
    if (!Array.isArray(items) || typeof version !== 'string' || version === '') return brokenBy('the answer is not a list')
    return { items, version, next: typeof metadata?.continue === 'string' ? metadata.continue : '' }
  } catch (error) {
    return brokenBy(error)
  }
}
