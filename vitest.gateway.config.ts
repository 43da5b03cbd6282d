import { defineConfig } from 'vitest/config'

// The suites that need a real Envoy Gateway, whose ports are fixed: one file at a time, in a network of its own (scripts/own-network).
export default defineConfig({
  test: {
    include: ['test/gateway/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
  },
})
