// Which secrets the configuration names but cannot get: asked once at start, so that a missing one is not found at the first login.
import type { Config } from './types.ts';

/** A line for each secret that is missing, e.g. `targets.shop.password: environment variable SHOP_PASSWORD is not set`. */
export function missingSecrets(config: Config): readonly string[] {
  const secrets = [
    ...[...config.targets.values()].map((target) => ({
      at: `targets.${target.name}.password`,
      secret: target.password,
    })),
    { at: 'mask-key', secret: config.maskKey },
    { at: 'notifications.webhook.secret', secret: config.notifications?.webhook.secret },
  ];
  return secrets.flatMap(({ at, secret }) => {
    try {
      secret?.reveal();
      return [];
    } catch (cause) {
      return [`${at}: ${cause instanceof Error ? cause.message : 'cannot be read'}`];
    }
  });
}
