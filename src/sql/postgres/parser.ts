// PostgreSQL's own parser (libpg-query, WebAssembly). A trap leaves its memory in doubt, so a spare instance takes over.
import { setFlagsFromString } from 'node:v8';
import createModule from 'libpg-query/wasm/libpg-query.js';
import { grammarErrorParts } from './grammar-errors.ts';
import type { RawStmt } from './tree.ts';
import { treeAt } from './tree-json.ts';

/** What the grammar says of a text it refuses, as the server would say it. */
export class GrammarError extends Error {
  readonly sqlstate: string;
  /** 1-based character position, where known. */
  readonly position: number | undefined;
  readonly hint: string | undefined;
  readonly detail: string | undefined;

  constructor(
    message: string,
    sqlstate: string,
    position: number | undefined,
    more: { readonly hint?: string; readonly detail?: string } = {},
  ) {
    super(message);
    this.name = 'GrammarError';
    this.sqlstate = sqlstate;
    this.position = position;
    this.hint = more.hint;
    this.detail = more.detail;
  }
}

/** The longest text that is parsed, in UTF-8 bytes. */
export const maxTextBytes = 16 * 1024 * 1024;
const tooComplex = 'statement is nested too deeply to be read';

interface Wasm {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly HEAPU32: Uint32Array;
  _malloc(size: number): number;
  _free(pointer: number): void;
  _wasm_parse_query_raw(text: number): number;
  _wasm_free_parse_result(result: number): void;
  _wasm_parse_plpgsql(text: number): number;
  _wasm_free_string(text: number): void;
}

let current: Wasm | undefined;
let spare: Wasm | undefined;
let loading: Promise<void> | undefined;
const encoder = new TextEncoder();

/** Loads the parser; every other function here needs it to have been awaited once. */
export async function loadParser(): Promise<void> {
  loading ??= instantiate();
  await loading;
}

/**
 * The grammar is compiled by V8's quick compiler only. Its largest function holds the actions of all rules; the optimizing compiler takes
 * 50 MB (with Node 24 ten times that) and most of a second for it, which no session's statements win back. The flags are read when a
 * function first runs, so they stay; what has run before is optimized as ever (src/masking/hmac-lanes.ts runs its code when it is loaded).
 */
function compileQuickly(): void {
  for (const flag of ['--no-wasm-dynamic-tiering', '--no-wasm-tier-up']) setFlagsFromString(flag);
}

async function instantiate(): Promise<void> {
  compileQuickly();
  const create = createModule as unknown as (options: object) => Promise<Wasm>;
  current ??= await create({});
  spare ??= await create({});
}

function replace(): void {
  current = spare;
  spare = undefined;
  loading = instantiate().catch(() => {
    loading = undefined;
  });
}

function instance(): Wasm {
  if (current === undefined) throw new GrammarError('the parser is being restarted; try again', '57P03', undefined);
  return current;
}

function copyIn(wasm: Wasm, text: string): number {
  // At most three bytes for each UTF-16 unit.
  const room = text.length * 3 + 1;
  const pointer = wasm._malloc(room);
  if (pointer === 0) throw new GrammarError('out of memory', '53200', undefined);
  const { written } = encoder.encodeInto(text, wasm.HEAPU8.subarray(pointer, pointer + room));
  wasm.HEAPU8[pointer + written] = 0;
  return pointer;
}

function copyOut(wasm: Wasm, pointer: number): string {
  if (pointer === 0) return '';
  const heap = wasm.HEAPU8;
  const end = heap.indexOf(0, pointer);
  // A Buffer gives strings of one byte a character where it can; JSON.parse takes half the time for them.
  return Buffer.from(heap.buffer, pointer, end - pointer).toString('utf8');
}

/** Parses a text into its statements. Throws a GrammarError for what the grammar refuses; locations are UTF-8 byte offsets. */
export function parse(text: string): RawStmt[] {
  checkText(text);
  return run((wasm) => {
    const input = copyIn(wasm, text);
    const result = wasm._wasm_parse_query_raw(input);
    const found = statements(wasm, result);
    wasm._free(input);
    wasm._wasm_free_parse_result(result);
    if (found instanceof GrammarError) throw found;
    return found;
  });
}

/** What a result holds, which is freed afterwards: whatever is wrong is answered, not thrown. */
function statements(wasm: Wasm, result: number): RawStmt[] | GrammarError {
  const error = wasm.HEAPU32[(result >> 2) + 2] ?? 0;
  if (error !== 0) {
    const message = copyOut(wasm, wasm.HEAPU32[error >> 2] ?? 0);
    const position = wasm.HEAPU32[(error >> 2) + 4] ?? 0;
    const source = copyOut(wasm, wasm.HEAPU32[(error >> 2) + 2] ?? 0);
    return grammarError(message, position > 0 ? position : undefined, source);
  }
  const json = wasm.HEAPU32[result >> 2] ?? 0;
  try {
    return (treeOf(wasm, json) as { stmts?: RawStmt[] }).stmts ?? [];
  } catch {
    return new GrammarError(tooComplex, '54001', undefined);
  }
}

function treeOf(wasm: Wasm, json: number): unknown {
  try {
    return treeAt(wasm.HEAPU8, json);
  } catch {
    // Nested deeper than our stack goes; JSON.parse needs none.
    return JSON.parse(copyOut(wasm, json));
  }
}

/** Parses the CREATE FUNCTION or DO statement of a PL/pgSQL body; the tree is PL/pgSQL's own. */
export function parsePlpgsql(text: string): unknown {
  checkText(text);
  const json = run((wasm) => {
    const input = copyIn(wasm, text);
    const result = wasm._wasm_parse_plpgsql(input);
    const output = copyOut(wasm, result);
    wasm._free(input);
    wasm._wasm_free_string(result);
    return output;
  });
  if (!json.startsWith('{')) throw new GrammarError(json, '42601', undefined);
  return JSON.parse(json);
}

function run<T>(work: (wasm: Wasm) => T): T {
  const wasm = instance();
  try {
    return work(wasm);
  } catch (error) {
    if (error instanceof GrammarError) throw error;
    // A trap or an exhausted stack: what the instance holds is no longer to be trusted.
    replace();
    throw new GrammarError(tooComplex, '54001', undefined);
  }
}

function checkText(text: string): void {
  if (text.length > maxTextBytes || (text.length > maxTextBytes / 3 && Buffer.byteLength(text) > maxTextBytes)) {
    throw new GrammarError('statement is longer than 16 MB', '54000', undefined);
  }
  // The parser reads up to a zero byte; the server would refuse it as an invalid message.
  if (text.includes('\0'))
    throw new GrammarError('invalid byte sequence for encoding "UTF8": 0x00', '22021', undefined);
}

function grammarError(message: string, position: number | undefined, source: string): GrammarError {
  // The grammar's stack is bounded; the server says so with 54001 or 53200.
  if (message.startsWith('memory exhausted')) return new GrammarError(tooComplex, '54001', position);
  const parts = grammarErrorParts(message, source);
  return new GrammarError(message, parts.sqlstate, position, parts);
}
