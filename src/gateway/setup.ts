// What depends on the configuration file and is replaced as a whole by a reload.
import { type Config, loadMaskKey } from '../config/index.ts';
import { createIdentity, type IdentityVerifier } from '../identity/index.ts';
import type { Log } from './log.ts';
import { Target } from './target.ts';

export interface Setup {
  readonly config: Config;
  readonly identity: IdentityVerifier;
  readonly targets: ReadonlyMap<string, Target>;
}

/** Opens nothing: targets connect when they are first asked for. Rejects where a key cannot be read or made. */
export async function prepare(config: Config, log: Log): Promise<Setup> {
  const secret = await loadMaskKey(config);
  return {
    config,
    identity: createIdentity(config.identity),
    targets: new Map(
      [...config.targets.values()].map((target) => [target.name, new Target(target, config, secret, log)] as const),
    ),
  };
}
