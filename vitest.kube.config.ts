import { defineConfig } from 'vitest/config'

// The suites that need a real Kubernetes API server: one for all files (test/kube/setup.ts), and one file at a time.
export default defineConfig({
  test: {
    include: ['test/kube/**/*.test.ts'],
    globalSetup: ['test/kube/setup.ts'],
    setupFiles: ['test/setup.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 90_000,
    teardownTimeout: 30_000,
  },
})
