// Watches the server's memory: how full it is, for a full one admits nothing, and that it still throws nothing away. It changes nothing.
import { MEMORY_ALARM_RATIO, MEMORY_WATCH_MS } from '../limits.ts'
import type { Telemetry, Timer } from '../ports.ts'
import type { Connection } from './connection.ts'
import { infoFields } from './inspection.ts'

/** Asks now and then until the connection is closed. A server without `maxmemory` has no bound that could be told. */
export function watchMemory(
  connection: Pick<Connection, 'send' | 'closing' | 'reinspect'>,
  timer: Timer,
  telemetry: Pick<Telemetry, 'fault' | 'ledgerMemory'>,
): void {
  let isHigh = false
  const look = async (): Promise<void> => {
    const reply = await connection.send('INFO', ['memory'])
    if (reply.kind !== 'reply') return
    const fields = infoFields(String(reply.value))
    if (fields.get('maxmemory_policy') !== 'noeviction') return connection.reinspect()
    const memory = memoryOf(fields)
    if (memory === null) return
    const ratio = memory.usedBytes / memory.maxBytes
    telemetry.ledgerMemory(ratio)
    const wasHigh = isHigh
    isHigh = ratio >= MEMORY_ALARM_RATIO
    if (isHigh && !wasHigh) telemetry.fault('the memory of Redis is nearly full; when it is, every call is refused', { ...memory })
  }
  const turn = (): void => {
    if (connection.closing.aborted) return
    void look()
    timer.after(MEMORY_WATCH_MS, turn)
  }
  turn()
}

/** What Redis holds against `maxmemory`: buffers for replicas and the append-only file do not count. Null without a bound. */
function memoryOf(fields: ReadonlyMap<string, string>): { readonly usedBytes: number; readonly maxBytes: number } | null {
  const [used, uncounted, maxBytes] = ['used_memory', 'mem_not_counted_for_evict', 'maxmemory'].map(name => Number(fields.get(name) ?? 0))
  if (used === undefined || uncounted === undefined || maxBytes === undefined || !(maxBytes > 0)) return null
  return { usedBytes: used - uncounted, maxBytes }
}
