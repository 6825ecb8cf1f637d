// kill -9 at random moments under load: what was acknowledged is recorded, once, and the chain verifies. scripts/kill-audit.ts does more rounds.
import { expect, test } from 'vitest';
import { crashRounds } from './crash.ts';
import { scratch } from './support.ts';

test('ten kills in durable mode lose and repeat nothing', { timeout: 120_000 }, async () => {
  const report = await crashRounds({ directory: await scratch(), rounds: 10, durable: true, random: Math.random });
  expect(report.acknowledged).toBeGreaterThan(0);
});

test('kills in fast mode leave a chain that verifies and goes on', { timeout: 60_000 }, async () => {
  const report = await crashRounds({ directory: await scratch(), rounds: 3, durable: false, random: Math.random });
  expect(report.recorded).toBeGreaterThan(0);
});
