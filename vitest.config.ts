// How the tests run: real servers are slow to start on shared machines, so the limits are generous; nothing is timed.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
    expect: { poll: { timeout: 15_000 } },
  },
});
