// The key of the hash and fake masks: from the file's `mask-key`, or a random one kept in the data folder.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SecretError } from './errors.ts';
import { privateFile } from './private-file.ts';
import type { Config } from './types.ts';

const shortest = 16;

/** The key's bytes. Throws SecretError where the named secret is missing or shorter than 16 bytes. */
export async function loadMaskKey(config: Pick<Config, 'maskKey' | 'data'>): Promise<Buffer> {
  if (config.maskKey === undefined) return await privateFile(join(config.data, 'mask.key'), () => randomBytes(32));
  const key = config.maskKey.revealBytes();
  if (key.length < shortest)
    throw new SecretError(`${config.maskKey.origin} is too short for a mask key: at least ${shortest} bytes`);
  return key;
}
