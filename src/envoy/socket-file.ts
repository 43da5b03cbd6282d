// The file of a Unix socket: cleared of one that a dead process left, and opened to the group. It never removes what is in use.
import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'

/** The path in `unix:/path`; null for an address that is no file. */
export const socketPath = (listen: string): string | null => (listen.startsWith('unix:') ? listen.slice('unix:'.length) : null)

/** Makes room for a socket at `path`. @throws where something is there that is alive, or no socket. */
export async function clearSocket(path: string): Promise<void> {
  let found: Awaited<ReturnType<typeof lstat>>
  try {
    found = await lstat(path)
  } catch {
    // Nothing there; a folder that is missing or closed is told by the bind.
    return
  }
  if (!found.isSocket()) throw new Error('a file is there that is no socket')
  if (await answers(path)) throw new Error('another process listens there')
  await unlink(path)
}

/** A proxy in the same pod runs as another user: it gets in by the group that the volume gives them both. */
export const openToGroup = (path: string): Promise<void> => chmod(path, 0o660)

const answers = (path: string): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
