// Whether a configuration needs the control store: only then is one opened.
import type { Config } from './types.ts';

/** True where the file names a store, or anything that gateways and commands must agree on. */
export function needsStore(config: Config): boolean {
  return (
    config.store !== undefined ||
    config.workers > 1 ||
    config.credentials !== undefined ||
    config.listen.console !== undefined ||
    config.identity.saml !== undefined ||
    config.rules.some(({ verdict }) => verdict === 'hold') ||
    config.roles.some(({ request, budgets }) => request !== undefined || budgets !== undefined) ||
    [...config.targets.values()].some(({ costGuard }) => costGuard?.verdict === 'hold')
  );
}
