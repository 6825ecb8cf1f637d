// Which secrets and files the configuration names but cannot get: asked once at start, so that a missing one is not found at the
// first login.
import { access, constants } from 'node:fs/promises';
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

/** A line for each file that is missing or may not be read, e.g. `listen.tls.cert: /etc/tls/cert.pem cannot be read (ENOENT)`. */
export async function missingFiles(config: Config): Promise<readonly string[]> {
  const { tls } = config.listen;
  const files = [
    { at: 'listen.tls.cert', path: tls?.cert },
    { at: 'listen.tls.key', path: tls?.key },
    { at: 'identity.saml.certificate', path: config.identity.saml?.certificate },
    ...config.identity.issuers.map((issuer, index) => ({
      at: `identity.issuers[${index}].jwks`,
      path: issuer.kind === 'remote' && issuer.keys.kind === 'file' ? issuer.keys.path : undefined,
    })),
    ...[...config.targets.values()].flatMap((target) =>
      (['ca', 'cert', 'key'] as const).map((part) => ({
        at: `targets.${target.name}.tls.${part}`,
        path: target.tls[part],
      })),
    ),
  ];
  const lines = await Promise.all(
    files.map(async ({ at, path }) => {
      if (path === undefined) return undefined;
      try {
        await access(path, constants.R_OK);
        return undefined;
      } catch (cause) {
        const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
        return `${at}: ${path} cannot be read (${code})`;
      }
    }),
  );
  return lines.filter((line) => line !== undefined);
}
