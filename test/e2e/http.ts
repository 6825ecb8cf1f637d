// The token endpoint on a real HTTP server, as the gateway's HTTP port mounts it.
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Config } from '../../src/config/index.ts';
import { createIdentity, type TokenEndpointParts, tokenEndpoint } from '../../src/identity/index.ts';

export interface TokenServer {
  readonly url: string;
  /** Posts a form and gives status, headers and JSON. */
  post(
    form: Record<string, string> | string,
  ): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }>;
  close(): Promise<void>;
}

export async function tokenServer(
  config: Config,
  parts: Omit<TokenEndpointParts, 'current' | 'log'>,
): Promise<TokenServer> {
  const identity = createIdentity(config.identity);
  const app = new Hono().route(
    '/oauth2',
    tokenEndpoint({ ...parts, current: () => ({ config, identity }), log: { error: () => undefined } }),
  );
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  const url = `http://127.0.0.1:${address.port}/oauth2/token`;
  return {
    url,
    async post(form) {
      const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Record<string, unknown>,
      };
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
