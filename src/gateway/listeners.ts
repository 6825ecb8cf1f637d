// Sockets and certificates: what every listener of the gateway needs.
import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Address } from '../config/index.ts';

export interface Listening {
  readonly server: Server;
  /** A port of 0 is resolved. */
  readonly address: Address;
}

/** Read anew when the files change, so that a renewed certificate needs no restart. */
export function certificate(cert: string, key: string): () => SecureContext {
  let stamp = '';
  let context: SecureContext | undefined;
  return () => {
    const fresh = `${statSync(cert).mtimeMs} ${statSync(key).mtimeMs}`;
    if (context === undefined || fresh !== stamp) {
      context = createSecureContext({ cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.2' });
      stamp = fresh;
    }
    return context;
  };
}

/** Resolves when the address accepts connections; rejects where it cannot be taken. */
export async function listen(at: Address, handle: (socket: Socket) => void): Promise<Listening> {
  const server = createServer({ noDelay: true, keepAlive: true }, handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // A thousand agents may start at once: the system's own limit (net.core.somaxconn) still holds.
    server.listen({ port: at.port, host: at.host, backlog: 4096 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  return { server, address: typeof bound === 'object' && bound !== null ? { host: at.host, port: bound.port } : at };
}
