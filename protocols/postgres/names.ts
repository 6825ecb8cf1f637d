// What a name (of a prepared statement or portal) stands for while messages that change it are still on their way. The server
// decides in order; a client that pipelines names things before the server has answered. So every name has a certain value and
// the changes not yet answered, each in its sync group: messages between two Syncs take effect up to the first that fails.

export interface Change<T> {
  readonly name: string;
  /** What the name stands for if the server does as asked; undefined when it is closed. */
  readonly value: T | undefined;
  readonly group: number;
}

interface Entry<T> {
  certain: T | undefined;
  readonly pending: Change<T>[];
  /** SQL may have freed the name (DEALLOCATE, CLOSE): gone as soon as SQL may have given it away again. */
  suspect: boolean;
}

/** `waiting`: what the name stands for depends on answers still to come. */
export type Lookup<T> =
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'waiting' };

const unknown = { kind: 'unknown' } as const;
const waiting = { kind: 'waiting' } as const;

export class Names<T> {
  private readonly entries = new Map<string, Entry<T>>();

  /** What a message of sync group `group` means by `name`, if the server reaches that message at all. */
  lookup(name: string, group: number): Lookup<T> {
    const entry = this.entries.get(name);
    if (entry === undefined) return unknown;
    const last = entry.pending[entry.pending.length - 1];
    // A message is reached only if everything before it in its group has succeeded.
    if (last !== undefined && last.group === group) {
      return last.value === undefined ? unknown : { kind: 'found', value: last.value };
    }
    let only = entry.certain;
    for (const change of entry.pending) {
      if (change.value === undefined || change.value === only) continue;
      if (only !== undefined) return waiting;
      only = change.value;
    }
    return only === undefined ? unknown : { kind: 'found', value: only };
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** A message that changes the name has been sent. The result is handed to `confirm` or `cancel` when it is answered. */
  change(name: string, value: T | undefined, group: number): Change<T> {
    const change = { name, value, group };
    const entry = this.entries.get(name);
    if (entry === undefined) this.entries.set(name, { certain: undefined, pending: [change], suspect: false });
    else entry.pending.push(change);
    return change;
  }

  /** The server did as asked. */
  confirm(change: Change<T>): void {
    const entry = this.drop(change);
    if (entry === undefined) return;
    entry.certain = change.value;
    entry.suspect = false;
    this.tidy(change.name, entry);
  }

  /** The server failed at the message, or skipped it. `forget` when failing also frees the name (a Parse of the unnamed statement). */
  cancel(change: Change<T>, forget = false): void {
    const entry = this.drop(change);
    if (entry === undefined) return;
    if (forget) entry.certain = undefined;
    this.tidy(change.name, entry);
  }

  /** The server has freed all names (DISCARD ALL, the end of a transaction for portals); changes on their way stay. */
  clear(): void {
    for (const [name, entry] of this.entries) {
      entry.certain = undefined;
      this.tidy(name, entry);
    }
  }

  /** SQL may have freed any of the names. */
  suspectAll(): void {
    for (const entry of this.entries.values()) entry.suspect = true;
  }

  /** SQL may have given away any name that was free. */
  dropSuspects(): void {
    for (const [name, entry] of this.entries) {
      if (!entry.suspect) continue;
      entry.certain = undefined;
      this.tidy(name, entry);
    }
  }

  private drop(change: Change<T>): Entry<T> | undefined {
    const entry = this.entries.get(change.name);
    const index = entry?.pending.indexOf(change) ?? -1;
    if (entry === undefined || index < 0) return undefined;
    entry.pending.splice(index, 1);
    return entry;
  }

  private tidy(name: string, entry: Entry<T>): void {
    if (entry.certain === undefined && entry.pending.length === 0) this.entries.delete(name);
  }
}
