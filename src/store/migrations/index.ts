// The control database's tables, as steps that are each applied once, in this order. A step that has been released never changes.
import { consoleMigrations } from './console.ts';
import type { Migration } from './types.ts';

export const migrations: readonly Migration[] = [...consoleMigrations];
