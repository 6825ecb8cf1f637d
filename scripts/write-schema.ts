// Writes schema/sallyport.schema.json from the configuration's zod schema; a test fails when it is out of date.
import { mkdir, writeFile } from 'node:fs/promises';
import { jsonSchema } from '../src/config/index.ts';

const folder = new URL('../schema/', import.meta.url);
await mkdir(folder, { recursive: true });
await writeFile(new URL('sallyport.schema.json', folder), `${JSON.stringify(jsonSchema(), null, 2)}\n`);
