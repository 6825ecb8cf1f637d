// What the commands of just-in-time access share: the store of the file, and who acts.
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { type Approvals, createApprovals, type NotTaken, type Person } from '../approvals/index.ts';
import { type Config, needsStore, parseDuration } from '../config/index.ts';
import { createIdentity, type Identity } from '../identity/index.ts';
import { openStore } from '../store/index.ts';
import { loadOrFail } from './config.ts';
import { fail } from './output.ts';

/** A fault of the command line or a refusal, for stderr. */
export class CommandError extends Error {}

export interface Room {
  readonly config: Config;
  readonly approvals: Approvals;
}

/** Opens the room of a file for one command. What the command refuses stands on stderr and the exit code is 1. */
export async function inRoom(file: string, use: (room: Room) => Promise<void>): Promise<void> {
  const config = await loadOrFail(file);
  if (config === undefined) return;
  if (!needsStore(config))
    return fail(`${file} keeps no store: nothing in it is held, asked for or revoked. Add "store: embedded" to it`);
  try {
    const store = await openStore(config, { as: 'visitor' });
    try {
      const approvals = createApprovals({ store, config });
      await approvals.ready();
      await use({ config, approvals });
      await approvals.close();
    } finally {
      await store.close();
    }
  } catch (cause) {
    if (cause instanceof CommandError) return fail(cause.message);
    fail(`the store cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** The identity of the token in the file, or in SALLYPORT_TOKEN. Undefined where there is none. */
export async function identityOf(config: Config, tokenFile: string | undefined): Promise<Identity | undefined> {
  const token = tokenFile === undefined ? process.env.SALLYPORT_TOKEN : await read(tokenFile);
  if (token === undefined || token.trim() === '') return undefined;
  const verified = await createIdentity(config.identity).verify(token.trim());
  if (verified.kind === 'refused')
    throw new CommandError(`the token is refused (${verified.check}): ${verified.message}`);
  return verified.identity;
}

/** Without a token the operator of this machine acts: who holds the file holds the store. */
export async function personOf(config: Config, tokenFile: string | undefined): Promise<Person> {
  const identity = await identityOf(config, tokenFile);
  if (identity === undefined) return operator();
  const { issuer, subject, name, groups } = identity;
  return { kind: 'identity', issuer, subject, name, groups };
}

/** Whoever may run commands on the gateway's own file. */
export function operator(): Person {
  return { kind: 'operator', name: userInfo().username };
}

export function durationOf(option: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined)
    throw new CommandError(`${option}: expected a duration such as 30m or 2h, got ${JSON.stringify(text)}`);
  return ms;
}

export function taken<T>(answer: { readonly kind: 'taken'; readonly now: T } | NotTaken): T {
  if (answer.kind === 'refused') throw new CommandError(answer.message);
  return answer.now;
}

async function read(file: string): Promise<string> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.trim() === '') throw new CommandError(`${file} is empty: expected a token`);
    return text;
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    throw new CommandError(`${file} cannot be read: expected a file with a token`);
  }
}
