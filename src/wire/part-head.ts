// The headers of one part of a form: the name of its field and whether it is a file. Refuses what two servers could read as two names.

export interface PartHead {
  readonly name: string
  /** Whether it comes with a file's name. */
  readonly isFile: boolean
}

const NOT_READ = 'the headers of a part cannot be read'

/** `head` ends with its empty line. Returns a sentence where it cannot be taken at its word. */
export function partHead(head: Uint8Array): PartHead | string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(head)
  if (/\r(?!\n)|(?<!\r)\n/.test(text)) return 'the headers of a part hold a bare line end'
  let disposition: string | null = null
  for (const line of text.split('\r\n').filter(one => one !== '')) {
    const header = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line)
    if (header === null) return NOT_READ
    const [, name = '', value = ''] = header
    switch (name.toLowerCase()) {
      case 'content-disposition':
        if (disposition !== null) return 'a part has two dispositions'
        disposition = value
        break
      case 'content-type':
        if (/^multipart\//i.test(value)) return 'a part is a form of its own'
        if (/charset\s*=\s*"?(?!utf-?8|us-ascii)/i.test(value)) return 'a part is in another charset than UTF-8'
        break
      case 'content-transfer-encoding':
        if (!/^(?:7bit|8bit|binary)$/i.test(value)) return 'a part is encoded'
        break
    }
  }
  return disposition === null ? 'a part has no name' : fieldOf(disposition)
}

/** `form-data` and its parameters, each once; values in quotes as browsers write them: a quote inside is escaped. */
function fieldOf(disposition: string): PartHead | string {
  const rest = /^form-data(?=;|$)/i.exec(disposition)
  if (rest === null) return NOT_READ
  const found = new Map<string, string>()
  const parameter = /\s*;\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/y
  parameter.lastIndex = rest[0].length
  let read = parameter.lastIndex
  for (let match = parameter.exec(disposition); match !== null; match = parameter.exec(disposition)) {
    const name = (match[1] ?? '').toLowerCase()
    if (found.has(name) || name === 'name*') return 'a part has two names'
    found.set(name, match[2] ?? match[3] ?? '')
    read = parameter.lastIndex
  }
  const name = found.get('name')
  if (read !== disposition.length || name?.includes('\\') === true) return NOT_READ
  return name === undefined || name === '' ? 'a part has no name' : { name, isFile: found.has('filename') || found.has('filename*') }
}
