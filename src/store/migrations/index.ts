// The control database's tables, as steps that are each applied once, in this order. A step that has been released never changes.
import { approvals } from './approvals.ts';
import { consoleMigrations } from './console.ts';
import { credentials } from './credentials.ts';
import { records } from './records.ts';
import type { Migration } from './types.ts';
import { usage } from './usage.ts';

export const migrations: readonly Migration[] = [records, approvals, credentials, ...consoleMigrations, usage];
