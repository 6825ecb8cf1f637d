// The Ed25519 key that signs the journal: made on first use, kept for its owner alone; its public half lies in the journal.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { link, mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AuditError, describe, isMissing } from './errors.ts';
import { newRecordId } from './ids.ts';

export interface SigningKey {
  /** The first 16 hexadecimal digits of the SHA-256 of the public key (SPKI, DER). */
  readonly id: string;
  /** The public key as PEM, for whoever verifies. */
  readonly publicPem: string;
  sign(bytes: Buffer): string;
}

export interface VerifyingKey {
  readonly id: string;
  /** True when `signature` is exactly what `sign` puts out for these bytes. */
  verify(bytes: Buffer, signature: string): boolean;
}

/** Where the private key lies: beside the journal folder and not in it, so that the journal can be copied away without the key. */
export function keyFileOf(journal: string): string {
  return join(dirname(resolve(journal)), 'audit-signing.key');
}

/** Loads the signing key, or makes it; workers that start at the same moment end with the same one. */
export async function loadSigningKey(file: string): Promise<SigningKey> {
  let pem = await readIfThere(file);
  if (pem === undefined) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const { privateKey } = generateKeyPairSync('ed25519');
    const scratch = `${file}.${newRecordId()}`;
    await writeFile(scratch, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    try {
      // link fails where the name is taken, which rename would not: the first worker's key stays.
      await link(scratch, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await unlink(scratch);
    }
    pem = await readFile(file, 'utf8');
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new AuditError('unusable', `${file} holds no private key in PEM form`);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new AuditError('unusable', `${file} is not an Ed25519 key`);
  const publicKey = createPublicKey(key);
  return {
    id: keyId(publicKey),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: (bytes) => sign(null, bytes, key).toString('hex'),
  };
}

/** Lays the public half into the journal's `keys` folder, named by its id. */
export async function publishKey(journal: string, key: SigningKey): Promise<void> {
  const folder = join(journal, 'keys');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${key.id}.pem`);
  if ((await readIfThere(file)) !== key.publicPem) await writeFile(file, key.publicPem, { mode: 0o644 });
}

/** The public keys to verify with: the pinned ones where some are named, else those the journal carries. */
export async function loadVerifyingKeys(
  journal: string,
  pinned: readonly string[] = [],
): Promise<Map<string, VerifyingKey>> {
  const pems = [...pinned];
  if (pems.length === 0) {
    const folder = join(journal, 'keys');
    const names = await readdir(folder).catch((error) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const name of names) if (name.endsWith('.pem')) pems.push(await readFile(join(folder, name), 'utf8'));
  }
  const keys = new Map<string, VerifyingKey>();
  for (const pem of pems) {
    const key = verifyingKey(pem);
    if (key !== undefined) keys.set(key.id, key);
  }
  return keys;
}

function verifyingKey(pem: string): VerifyingKey | undefined {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') return undefined;
    return {
      id: keyId(key),
      verify(bytes, signature) {
        // Hexadecimal in one case has one spelling for each signature; base64 has several.
        if (!/^[0-9a-f]{128}$/.test(signature)) return false;
        return verify(null, bytes, key, Buffer.from(signature, 'hex'));
      },
    };
  } catch {
    return undefined;
  }
}

function keyId(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new AuditError('unusable', `cannot read ${file}: ${describe(error)}`, error);
  }
}
