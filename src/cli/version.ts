// The version of the package, found from the sources and from the compiled files alike.
import { existsSync, readFileSync } from 'node:fs';

/** As in package.json. */
export function version(): string {
  for (let folder = new URL('..', import.meta.url); ; folder = new URL('..', folder)) {
    const file = new URL('package.json', folder);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    if (folder.pathname === '/') return 'unknown';
  }
}
