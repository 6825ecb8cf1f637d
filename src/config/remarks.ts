// What a right file may still be asked about: settings that mean nothing yet, secrets and files that are not here.
import { missingFiles, missingSecrets } from './secrets.ts';
import type { Config } from './types.ts';

/** One line for each setting that has no effect as the file stands, and for each secret or file that cannot be had here. */
export async function configRemarks(config: Config): Promise<readonly string[]> {
  return [...excusesForNobody(config), ...missingSecrets(config), ...(await missingFiles(config))];
}

function excusesForNobody(config: Config): readonly string[] {
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
