// The door of the console: the page and the HTTP API, on the gateway's own port.
export { createLive, type Live, type LiveRecord, teed } from './live.ts';
export { createLink, linkMs } from './logins.ts';
export type { ConsoleLog, ConsoleParts } from './parts.ts';
export type { Person } from './people.ts';
export { type ConsoleServer, startConsole } from './server.ts';
export type { DecisionSource, Health, RecordSource, SessionSource, SessionView, Taken } from './sources.ts';
export { storeSource, withRecent } from './store-source.ts';
