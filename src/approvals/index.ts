// The room of just-in-time access: held statements, grants, revocations, the registry of sessions, and notifications.
export type * from './types.ts';
