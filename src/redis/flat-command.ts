// A command that goes out as one flat buffer. ioredis glues the arguments of a batch to one long rope of strings, which is dear to write.
import { Command } from 'ioredis'

export class FlatCommand extends Command {
  override toWritable(socket: object): string | Buffer {
    const parts = [`*${this.args.length + 1}\r\n$${this.name.length}\r\n${this.name}\r\n`]
    for (const arg of this.args) {
      const text = String(arg)
      parts.push(`$${text.length}\r\n${text}\r\n`)
    }
    const text = parts.join('')
    const bytes = Buffer.from(text)
    // Lengths were taken in characters: right where all are ASCII, which all that is ours is.
    return bytes.length === text.length ? bytes : super.toWritable(socket)
  }
}
