// The console's listener: HTTP on loopback, HTTPS where the file names a certificate.
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import { type Address, isLoopback } from '../config/index.ts';
import { consoleApp } from './app.ts';
import type { ConsoleLog, ConsoleParts } from './parts.ts';

export interface ConsoleServer {
  /** A port of 0 is resolved. */
  readonly address: Address;
  /** `http://127.0.0.1:8090`, as a browser takes it. */
  readonly url: string;
  /** Takes no more requests and ends those that run. */
  close(): Promise<void>;
}

const requestMs = 30_000;

/**
 * Resolves when the address accepts connections; rejects where it cannot be taken, and where it would be reached from other machines
 * without TLS and the file does not say `insecure: true`.
 */
export async function startConsole(at: Address, parts: ConsoleParts): Promise<ConsoleServer> {
  const { listen, insecure } = parts.config();
  if (listen.tls === undefined && !isLoopback(at.host) && !insecure) {
    throw new Error(
      `listen.console: ${at.host}:${at.port} can be reached from other machines: name a certificate in listen.tls, or say insecure: true`,
    );
  }
  const secure = listen.tls !== undefined;
  const handle = getRequestListener(consoleApp(parts, secure).fetch, { overrideGlobalObjects: false });
  const options = { requestTimeout: requestMs, headersTimeout: requestMs, maxHeaderSize: 32 * 1024 };
  const server =
    listen.tls === undefined ? createServer(options, handle) : secureServer(options, handle, listen.tls, parts.log);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  const address = { host: at.host, port: typeof bound === 'object' && bound !== null ? bound.port : at.port };
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return {
    address,
    url: `${secure ? 'https' : 'http'}://${host}:${address.port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

const renewMs = 60_000;

/** Takes a renewed certificate within a minute; one that cannot be read leaves the old one in use. */
function secureServer(
  options: object,
  handle: Parameters<typeof createServer>[1] & object,
  { cert, key }: { readonly cert: string; readonly key: string },
  log: ConsoleLog,
): SecureServer {
  const read = () => ({ cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.2' as const });
  const stamp = () => `${statSync(cert).mtimeMs} ${statSync(key).mtimeMs}`;
  const server = createSecureServer({ ...options, ...read() }, handle);
  let taken = stamp();
  const timer = setInterval(() => {
    try {
      const now = stamp();
      if (now === taken) return;
      server.setSecureContext(read());
      taken = now;
    } catch (cause) {
      log.warn({ err: cause }, 'the certificate of the console cannot be read; the old one stays');
    }
  }, renewMs);
  timer.unref();
  server.on('close', () => clearInterval(timer));
  return server;
}
