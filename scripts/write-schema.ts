// Writes what is made from the configuration's zod schema: schema/sallyport.schema.json and the reference in
// docs/configuration.md. Tests fail when either is out of date.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { jsonSchema } from '../src/config/index.ts';
import { withReference } from '../src/config/reference.ts';

const root = new URL('../', import.meta.url);
await mkdir(new URL('schema/', root), { recursive: true });
await writeFile(new URL('schema/sallyport.schema.json', root), `${JSON.stringify(jsonSchema(), null, 2)}\n`);

const page = new URL('docs/configuration.md', root);
await writeFile(page, withReference(await readFile(page, 'utf8')));
