// Every suite runs on the Node that the project pins: an older one in PATH must never pass for it.
import { beforeAll } from 'vitest'

beforeAll(() => {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 24) throw new Error(`tests need Node 24 or newer, this is ${process.version}: run 'make setup', then 'npm test'`)
})
