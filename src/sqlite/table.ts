// One table behind a cache: what was read or changed stays in memory, and what changed is written when it is flushed. Knows no columns.

export interface Table<T> {
  get(id: string): T | null
  put(id: string, value: T): void
  drop(id: string): void
  flush(): void
  forget(): void
  /** Empties the cache if it holds more than `most`; only with nothing left to flush. */
  shrink(most: number): void
}

/** `read`, `write` and `drop` reach the table itself. */
export function createTable<T>(rows: { read(id: string): T | null; write(id: string, value: T): void; drop(id: string): void }): Table<T> {
  const cached = new Map<string, T | null>()
  const changed = new Set<string>()
  return {
    get: id => {
      const known = cached.get(id)
      if (known !== undefined) return known
      const read = rows.read(id)
      cached.set(id, read)
      return read
    },
    put: (id, value) => {
      cached.set(id, value)
      changed.add(id)
    },
    drop: id => {
      cached.set(id, null)
      changed.add(id)
    },
    flush: () => {
      for (const id of changed) {
        const value = cached.get(id)
        if (value == null) rows.drop(id)
        else rows.write(id, value)
      }
      changed.clear()
    },
    forget: () => {
      cached.clear()
      changed.clear()
    },
    shrink: most => {
      if (cached.size > most) cached.clear()
    },
  }
}
