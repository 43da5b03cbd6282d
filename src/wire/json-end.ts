// How the scan of a document ended: whole, or what is wrong and at which byte. Types only; never holds content.

export interface JsonFault {
  readonly kind: 'broken'
  readonly at: number
  readonly why: string
}

export type JsonEnd = { readonly kind: 'whole'; readonly bytes: number } | JsonFault
