// What the documentation shows works: every configuration in it loads, and every link in it leads somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'))
    .filter((n) => n.endsWith('.md'))
    .map((n) => `docs/${n}`),
];
const text = (page: string) => readFileSync(join(root, page), 'utf8');

test('every configuration in README loads', () => {
  const blocks = [...text('README.md').matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml ?? '');
  expect(blocks.length).toBeGreaterThan(0);
  for (const yaml of blocks) expect(parseConfig(yaml, join(root, 'README.yaml')).roles.length).toBeGreaterThan(0);
});

test.each(pages)('every file that %s links to is there', (page) => {
  const links = [...text(page).matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(([, link]) => link ?? '');
  for (const link of links) expect(existsSync(resolve(root, dirname(page), link)), link).toBe(true);
});

test('every npm script that the documentation names is there', () => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
  const named = pages.flatMap((page) => [...text(page).matchAll(/npm run ([a-z-]+)/g)].map(([, name]) => name ?? ''));
  expect(named.length).toBeGreaterThan(0);
  for (const name of named) expect(scripts).toHaveProperty(name);
});
