// The page's own files: read once, served under their version, so that browsers keep them and never mix two versions.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Assets {
  /** The address of a file, with its version. */
  path(name: string): string;
  respond(name: string, version: string | undefined): Response | undefined;
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export function loadAssets(): Assets {
  const folder = assetFolder();
  const files = new Map(
    readdirSync(folder).flatMap((name) => {
      const type = types[extname(name)];
      return type === undefined ? [] : [[name, { type, bytes: readFileSync(join(folder, name)) }] as const];
    }),
  );
  // Modules import each other by relative paths without a version, so one version stands for them all.
  const digest = createHash('sha256');
  for (const [name, { bytes }] of [...files].sort()) digest.update(name).update(bytes);
  const version = digest.digest('hex').slice(0, 12);
  return {
    path: (name) => `/assets/${version}/${name}`,
    respond(name, asked) {
      const file = files.get(name);
      if (file === undefined) return undefined;
      return new Response(new Uint8Array(file.bytes), {
        headers: {
          'Content-Type': file.type,
          'Cache-Control': asked === version ? 'public, max-age=31536000, immutable' : 'no-cache',
        },
      });
    },
  };
}

/** Beside this file in a checkout; in the package, where only compiled code is beside it, in src/. */
function assetFolder(): string {
  const places = ['./assets', '../../../src/console/assets'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  const found = places.find((place) => existsSync(join(place, 'console.css')));
  if (found === undefined) throw new Error('the files of the console are missing (src/console/assets)');
  return found;
}
