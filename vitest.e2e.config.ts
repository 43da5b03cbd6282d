import { defineConfig } from 'vitest/config'

// The suites that start other processes (Envoy, Redis, replicas of Purser): one file at a time, for they load the machine on purpose.
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts', 'test/drills/**/*.test.ts', 'test/redis/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 90_000,
    teardownTimeout: 30_000,
  },
})
