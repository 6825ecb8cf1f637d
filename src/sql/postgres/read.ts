// One text in given surroundings: parse, walk, and the virtual effects of each statement on those behind it.
import type { ReadResult, ReadStatement } from '../reader.ts';
import { Analysis, type Effect, type LocalRelation, type Remembered, type Surroundings, TooDeep } from './analysis.ts';
import { effectivePath, splitSearchPath } from './catalog.ts';
import { readingOf } from './finish.ts';
import { type Shape, shapeOf } from './lexer.ts';
import { localRelation } from './local.ts';
import { GrammarError, parse } from './parser.ts';
import { readStatement } from './statements.ts';

/** What is known of a session; texts are read against it, and change it when they have run. */
export interface SessionState {
  path: readonly string[];
  /** The search_path is not known any more; only the server could say. */
  pathUnknown: boolean;
  local: Map<string, LocalRelation>;
  touched: Set<string>;
  prepared: Map<string, Remembered>;
  cursors: Map<string, Remembered>;
}

export function copyState(state: SessionState): SessionState {
  return {
    path: state.path,
    pathUnknown: state.pathUnknown,
    local: new Map(state.local),
    touched: new Set(state.touched),
    prepared: new Map(state.prepared),
    cursors: new Map(state.cursors),
  };
}

/** What else came out of reading a text. */
export interface Reading1 {
  readonly result: ReadResult;
  readonly analyses: readonly Analysis[];
}

const maxRemembered = 5_000;

/** Reads a text. Never throws. */
export function readText(
  catalog: Surroundings['catalog'],
  state: SessionState,
  text: string,
  shape: Shape | undefined,
  defaultPath: readonly string[],
): Reading1 {
  try {
    return readParsed(catalog, state, text, shape, defaultPath);
  } catch (error) {
    return { result: failure(error), analyses: [] };
  }
}

function failure(error: unknown): ReadResult {
  if (error instanceof GrammarError) {
    const { message, position, sqlstate, hint, detail } = error;
    return {
      kind: 'unreadable',
      message,
      position,
      sqlstate,
      ...(hint === undefined ? {} : { hint }),
      ...(detail === undefined ? {} : { detail }),
    };
  }
  if (error instanceof TooDeep || error instanceof RangeError) {
    return {
      kind: 'unreadable',
      message: 'statement is nested too deeply to be read',
      position: undefined,
      sqlstate: '54001',
    };
  }
  return { kind: 'unreadable', message: 'the statement could not be read', position: undefined, sqlstate: 'XX000' };
}

function readParsed(
  catalog: Surroundings['catalog'],
  given: SessionState,
  text: string,
  shape: Shape | undefined,
  defaultPath: readonly string[],
): Reading1 {
  const raw = parse(text);
  const statements: ReadStatement[] = [];
  const analyses: Analysis[] = [];
  const state = raw.length > 1 ? copyState(given) : given;
  const index = byteIndex(text);
  const plain = Buffer.byteLength(text) === text.length;
  for (const entry of raw) {
    if (entry.stmt === undefined) continue;
    const analysis = new Analysis({
      catalog,
      path: state.path,
      local: state.local,
      touched: state.touched,
      prepared: state.prepared,
      cursors: state.cursors,
    });
    readStatement(analysis, entry.stmt);
    if (state.pathUnknown && analysis.tables.size + analysis.functions.size > 0) {
      analysis.unreadable('relation', 'search_path', 'the search_path of the session is not known');
    }
    if (analysis.forbidden !== undefined) return { result: { kind: 'forbidden', ...analysis.forbidden }, analyses: [] };
    const from = index(entry.stmt_location ?? 0);
    const length = entry.stmt_len ?? 0;
    const to = length === 0 ? text.length : index((entry.stmt_location ?? 0) + length);
    const single = raw.length === 1 && shape !== undefined;
    const part = single ? undefined : text.slice(from, to);
    const own = single ? shape : shapeOf(part ?? '');
    const start = single ? shape.start : from + (own?.start ?? 0);
    const end = single ? shape.end : from + (own?.end ?? to - from);
    const position = (offset: number | undefined): number | undefined =>
      offset === undefined || offset < 0 ? undefined : plain ? offset + 1 : characters(text, index(offset)) + 1;
    const reading = readingOf(analysis, entry.stmt, own?.key ?? text, position);
    const statement: ReadStatement = { reading, start, end, barrier: analysis.barrier };
    analyses.push(analysis);
    statements.push(statement);
    if (analysis.effects.length > 0) effects.set(reading, analysis.effects);
    if (raw.length > 1) applyEffects(state, analysis.effects, catalog, defaultPath);
  }
  return { result: { kind: 'read', statements }, analyses };
}

const effects = new WeakMap<object, readonly Effect[]>();

/** What a statement changes once it has run. */
export function effectsOf(statement: ReadStatement): readonly Effect[] {
  return effects.get(statement.reading) ?? [];
}

export function applyEffects(
  state: SessionState,
  list: readonly Effect[],
  catalog: Surroundings['catalog'],
  defaultPath: readonly string[],
): void {
  for (const effect of list) {
    switch (effect.kind) {
      case 'search-path':
        state.pathUnknown = effect.value === undefined && !effect.reset;
        if (effect.reset) state.path = defaultPath;
        else if (effect.value !== undefined) state.path = effectivePath(splitSearchPath(effect.value, catalog.user));
        break;
      case 'prepare':
      case 'declare': {
        const map = effect.kind === 'prepare' ? state.prepared : state.cursors;
        if (map.size < maxRemembered) map.set(effect.name, effect.remembered);
        break;
      }
      case 'deallocate':
        if (effect.name === undefined) state.prepared.clear();
        else state.prepared.delete(effect.name);
        break;
      case 'close':
        if (effect.name === undefined) state.cursors.clear();
        else state.cursors.delete(effect.name);
        break;
      case 'create':
        state.local.set(effect.name, localRelation(effect.schema, effect.name, effect.fields));
        state.touched.delete(effect.name);
        break;
      case 'touch':
        for (const name of effect.names) {
          // A table of this session that is dropped or changed: the name means something else, or nothing.
          state.local.delete(name);
          state.touched.add(name);
        }
        break;
      case 'discard':
        state.prepared.clear();
        state.cursors.clear();
        for (const [name, entry] of state.local) if (entry.relation.schema === 'pg_temp') state.local.delete(name);
        break;
      default:
    }
  }
}

/** Turns UTF-8 byte offsets into UTF-16 offsets; for plain ASCII they are the same. */
export function byteIndex(text: string): (offset: number) => number {
  if (Buffer.byteLength(text) === text.length) return (offset) => offset;
  let bytes = 0;
  let at = 0;
  return (offset) => {
    if (offset < bytes) {
      bytes = 0;
      at = 0;
    }
    while (bytes < offset && at < text.length) {
      const code = text.codePointAt(at) ?? 0;
      bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      at += code > 0xffff ? 2 : 1;
    }
    return at;
  };
}

/** How many characters (code points) stand before a UTF-16 offset. */
function characters(text: string, end: number): number {
  let count = 0;
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code < 0xdc00 || code > 0xdfff) count++;
  }
  return count;
}
