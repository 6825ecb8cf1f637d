// What a right file may still be asked about: settings that mean nothing yet.
import type { Config } from './types.ts';

/** One line for each setting that has no effect as the file stands. */
export function configRemarks(config: Pick<Config, 'roles' | 'masks'>): readonly string[] {
  const known = new Set(config.roles.map((role) => role.name));
  return config.masks.flatMap((mask, index) =>
    mask.unless.roles
      .filter((name) => !known.has(name))
      .map(
        (name) =>
          `masks[${index}].unless.roles: no role of this file is called "${name}"; until there is one, it excuses nobody`,
      ),
  );
}
