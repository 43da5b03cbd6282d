// A budget path of four levels in mixed units and windows, tight enough that many calls do not fit. Shared by processes, so it is fixed.
import { budgetKey } from '../../src/core/budget.ts'
import type { Line } from '../../src/core/reservation.ts'
import { type WindowSpec, windowAt } from '../../src/core/window.ts'

const YEAR: WindowSpec = { kind: 'calendar', period: 'Year', timeZone: 'UTC', anchorDay: 1 }
const level = (policy: string, unit: Line['unit'], limit: bigint, window: WindowSpec): Omit<Line, 'amount' | 'floor'> => ({
  key: budgetKey({ scope: 'BudgetPolicy', namespace: 'default', policy, limit: 'all', unit, window, partition: [] }),
  unit,
  window: windowAt(window, Date.now()),
  limit,
  version: { createdMs: 1, generation: 1, grantMs: 0 },
  hard: true,
})

export const LEVELS: readonly Omit<Line, 'amount' | 'floor'>[] = [
  level('organisation', 'USD', 6_000_000_000n, YEAR),
  level('team', 'Tokens', 700_000n, { kind: 'lifetime' }),
  level('team', 'OutputTokens', 640_000n, { kind: 'sliding', lengthMs: 3_600_000 }),
  level('user', 'Requests', 640n, { kind: 'lifetime' }),
  level('key', 'USD', 5_800_000_000n, { kind: 'lifetime' }),
  level('key', 'Requests', 400n, { kind: 'inFlight' }),
]
