// The room of the YAML file: loading and checking it, its published schema, and the secrets it names.
export { ConfigError, type ConfigFault, formatFault, SecretError } from './errors.ts';
export { type LoadOptions, loadConfig, parseConfig } from './load.ts';
export { loadMaskKey } from './mask-key.ts';
export { needsStore } from './needs-store.ts';
export { privateFile } from './private-file.ts';
export { configRemarks } from './remarks.ts';
export { jsonSchema } from './schema.ts';
export { Secret } from './secret.ts';
export { missingFiles, missingSecrets } from './secrets.ts';
export type * from './types.ts';
export { type UnavailableSetting, unavailableNames, unavailableSettings } from './unavailable.ts';
export { type Address, formatDuration, isLoopback, parseDuration } from './values.ts';
