// Imports run one way: the repository itself, and that the check would see it if they did not.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { printed, readSources, type Sources, wrongImports } from '../../scripts/check-imports.ts';
import { importsOf } from '../../scripts/imports.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('every import of the repository runs the right way', () => {
  const sources = readSources(root);
  expect(sources.has('protocols/gate.ts')).toBe(true);
  expect(wrongImports(sources).map(printed)).toEqual([]);
});

const sources = (files: Record<string, string>): Sources => new Map(Object.entries(files));

test.each([
  ['protocols/postgres/rows.ts', '../../src/policy/index.ts', 'protocols/ imports nothing from src/'],
  ['protocols/postgres/rows.ts', '../mysql/rows.ts', 'neither protocol folder imports the other'],
  ['protocols/gate.ts', './postgres/rows.ts', 'types only'],
  ['protocols/gate.ts', 'node:net', 'types only'],
  ['protocols/shared/output.ts', '../postgres/rows.ts', 'neither protocol folder'],
  ['protocols/shared/output.ts', '../../src/sql/index.ts', 'nothing from src/'],
  ['src/sql/index.ts', '../../protocols/postgres/rows.ts', 'no protocol but protocols/gate.ts'],
  ['src/sql/index.ts', '../gateway.ts', 'does not import gateway'],
  ['src/audit/index.ts', '../demo/run.ts', 'does not import the demo'],
  ['src/audit/index.ts', '../sql/postgres/walk.ts', 'by their door, src/sql/index.ts'],
  ['src/policy/verdict.ts', 'node:fs', 'pure'],
  ['src/policy/verdict.ts', 'fs/promises', 'pure'],
  ['src/masking/plan.ts', 'node:child_process', 'pure'],
  ['src/masking/plan.ts', 'mysql2/promise', 'pure'],
  ['src/masking/plan.ts', '@hono/node-server/serve', 'pure'],
  ['src/gateway.ts', './main.ts', 'does not import main'],
  ['src/config/index.ts', '../cli/output.ts', 'does not import main'],
  ['src/demo/run.ts', '../gateway.ts', 'handed its gateway by main'],
  ['src/gateway.ts', '../test/support/postgres.ts', 'stays within src/ and protocols/'],
  ['src/gateway.ts', './utils/index.ts', 'is no room'],
])('%s must not import %s', (file, specifier, why) => {
  const faults = wrongImports(sources({ [file]: `// one\nimport { a } from '${specifier}';\n` }));
  expect(faults).toEqual([{ file, line: 2, specifier, why: expect.stringContaining(why) }]);
});

test.each([
  ['protocols/postgres/rows.ts', '../gate.ts'],
  ['protocols/postgres/rows.ts', '../shared/output.ts'],
  ['protocols/mysql/rows.ts', '../shared/output.ts'],
  ['protocols/postgres/rows.ts', 'pg-protocol'],
  ['src/sql/index.ts', '../../protocols/gate.ts'],
  ['src/policy/types.ts', '../masking/spec.ts'],
  ['src/policy/types.ts', '../sql/index.ts'],
  ['src/masking/hash.ts', 'node:crypto'],
  ['src/gateway.ts', '../protocols/postgres/index.ts'],
  ['src/gateway.ts', './audit/index.ts'],
  ['src/main.ts', './cli/serve.ts'],
  ['src/cli/demo.ts', '../demo/index.ts'],
  ['src/cli/serve.ts', '../gateway.ts'],
  ['src/main.ts', '../package.json'],
  ['src/demo/run.ts', '../store/embedded.ts'],
])('%s may import %s', (file, specifier) => {
  expect(wrongImports(sources({ [file]: `import { a } from '${specifier}';` }))).toEqual([]);
});

test('those above the rooms go through the door where there is one', () => {
  const faults = wrongImports(
    sources({ 'src/audit/index.ts': '', 'src/gateway.ts': "import { chain } from './audit/chain.ts';" }),
  );
  expect(faults.map(printed)).toEqual([
    "src/gateway.ts:1: './audit/chain.ts': rooms are entered by their door, src/audit/index.ts",
  ]);
});

test('rooms in a circle are named once, with the way round', () => {
  const faults = wrongImports(
    sources({
      'src/config/index.ts': "import { a } from '../policy/index.ts';",
      'src/policy/index.ts': "import type { B } from '../sql/index.ts';",
      'src/sql/index.ts': "import type { C } from '../config/index.ts';",
    }),
  );
  expect(faults.map(({ why }) => why)).toEqual(['rooms in a circle: config -> policy -> sql -> config']);
});

test('two rooms may name the plain types of each other', () => {
  const contract = {
    'src/config/index.ts': "import { a } from '../policy/index.ts';",
    'src/policy/index.ts': "import type { B } from '../config/types.ts';",
  };
  expect(wrongImports(sources(contract))).toEqual([]);
  const value = { ...contract, 'src/policy/index.ts': "import { type B } from '../config/types.ts';" };
  expect(wrongImports(sources(value)).map(({ why }) => why)).toEqual([expect.stringContaining('rooms in a circle')]);
});

test('every form of import is found, with its line, and nothing that only looks like one', () => {
  const source = [
    "import './a.ts';",
    "import b, { type B } from './b.ts';",
    "import type * as c from './c.ts';",
    "export * from './d.ts';",
    'export {',
    '  e,',
    "} from './e.ts';",
    "const f = await import('./f.ts');",
    "type G = import('./g.ts').G;",
    "// import './not.ts'",
    "/* import './not.ts' */",
    'const text = "import \'./not.ts\'";',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source under test holds a template literal
    "const nested = `import './not.ts' ${[1].map(() => `}${'./not.ts'}`)} from './not.ts'`;",
    'const regex = /import [\'"]/; const half = 1 / 2;',
    "const from = { from: './not.ts' };",
    "import h from './h.ts';",
    "export type { I } from './i.ts';",
    "import type from './j.ts';",
  ].join('\n');
  expect(
    importsOf(source).map(({ specifier, line, typeOnly }) => `${line} ${specifier}${typeOnly ? ' type' : ''}`),
  ).toEqual([
    '1 ./a.ts',
    '2 ./b.ts',
    '3 ./c.ts type',
    '4 ./d.ts',
    '7 ./e.ts',
    '8 ./f.ts',
    '9 ./g.ts',
    '16 ./h.ts',
    '17 ./i.ts type',
    '18 ./j.ts',
  ]);
});
