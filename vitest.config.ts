import { defineConfig } from 'vitest/config'

// The quick suites: everything that needs no other process; the other configurations hold the rest.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/chaos/**', 'test/e2e/**', 'test/drills/**', 'test/redis/**', 'test/kube/**', 'test/gateway/**', 'node_modules/**'],
    setupFiles: ['test/setup.ts'],
    testTimeout: 30_000,
    // Ledgers in threads of their own start by the hundred: compiled once, each starts in half the time.
    env: { NODE_COMPILE_CACHE: '.cache/compiled' },
  },
})
