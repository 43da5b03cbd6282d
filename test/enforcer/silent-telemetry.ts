// Telemetry that only remembers what it was told.
import { type Mock, vi } from 'vitest'
import type { Telemetry } from '../../src/ports.ts'

export type SilentTelemetry = { readonly [Name in keyof Telemetry]: Mock<Telemetry[Name]> }

export const silentTelemetry = (): SilentTelemetry => ({
  decided: vi.fn(),
  audited: vi.fn(),
  closed: vi.fn(),
  ledgerError: vi.fn(),
  ledgerMemory: vi.fn(),
  estimateViolated: vi.fn(),
  overrun: vi.fn(),
  warned: vi.fn(),
  contradicted: vi.fn(),
  tokensUsed: vi.fn(),
  trace: vi.fn(),
  fault: vi.fn(),
})
