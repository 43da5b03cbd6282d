import { defineConfig } from 'vitest/config'

// Real processes that are killed, stopped and cut off under traffic: minutes a file, one at a time.
export default defineConfig({
  test: {
    include: ['test/chaos/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    fileParallelism: false,
    // They measure a machine that is not theirs alone: what fails twice is ours.
    retry: 1,
    testTimeout: 180_000,
    hookTimeout: 90_000,
    teardownTimeout: 30_000,
  },
})
