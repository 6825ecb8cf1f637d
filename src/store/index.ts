// The room of the control database: what gateways and commands that belong together must agree on.
export { binaries } from './binaries.ts';
export { type EmbeddedOptions, type EmbeddedServer, freePort, startEmbedded } from './embedded.ts';
export { type OpenOptions, openStore } from './open.ts';
export { connectStore, type StoreOptions } from './store.ts';
export type { Queries, Store } from './types.ts';
