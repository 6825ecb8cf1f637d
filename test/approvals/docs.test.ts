// What docs/approvals.md shows works: its configuration loads, and its check of a signature tells genuine from forged.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { signature } from '../../src/approvals/index.ts';
import { parseConfig } from '../../src/config/index.ts';

const page = await readFile(fileURLToPath(new URL('../../docs/approvals.md', import.meta.url)), 'utf8');

function block(language: string): string {
  return new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(page)?.[1] ?? '';
}

test('the configuration loads', () => {
  const config = parseConfig(
    `listen: { postgres: 127.0.0.1:6432 }
identity: { issuers: [{ local: true }] }
targets: { shop: { dialect: postgres, url: "postgres://gateway@127.0.0.1/shop" } }
${block('yaml')}`,
    '/nowhere/sallyport.yaml',
  );
  expect(config.rules[0]).toMatchObject({ verdict: 'hold', approvers: { count: 2, timeoutMs: 600_000 } });
  expect(config.roles[0]?.request).toMatchObject({ maxDurationMs: 28_800_000 });
});

test('the check of a signature takes ours, and neither another body nor another key nor an old time', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-docs-'));
  try {
    await writeFile(join(folder, 'check.mjs'), block('js'));
    const { isGenuine } = (await import(pathToFileURL(join(folder, 'check.mjs')).href)) as {
      isGenuine(header: string, body: string, secret: string, now?: number): boolean;
    };
    const header = signature(Buffer.from('key'), 1000, '{"a":1}');
    expect(isGenuine(header, '{"a":1}', 'key', 1010)).toBe(true);
    expect(isGenuine(header, '{"a":2}', 'key', 1010)).toBe(false);
    expect(isGenuine(header, '{"a":1}', 'other', 1010)).toBe(false);
    expect(isGenuine(header, '{"a":1}', 'key', 2000)).toBe(false);
    expect(isGenuine(header.replace('t=1000', 't=1001'), '{"a":1}', 'key', 1010)).toBe(false);
    expect(isGenuine('v1=00', '{"a":1}', 'key', 1010)).toBe(false);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
