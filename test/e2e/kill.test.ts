// kill -9 of the gateway under load: what the database executed is on record once, the chain verifies, the store holds the same.
// scripts/kill-audit.ts does it 200 times.
import { expect, test } from 'vitest';
import { killRounds } from '../audit/kill-gateway.ts';

test('ten kills of a gateway in durable mode lose and repeat nothing', { timeout: 600_000 }, async () => {
  const report = await killRounds({ rounds: 10, random: Math.random });
  expect(report.executed).toBeGreaterThan(0);
  expect(report.stored).toBe(report.recorded);
});
