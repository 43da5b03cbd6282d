// Why there is no key, in a sentence for the one who asked for it. Never holds a key.
export class NoKey extends Error {
  override readonly name = 'NoKey'
}
