// An outside OIDC provider (npm oidc-provider) as a process of its own, started by fork: sends its issuer, has new keys when asked to
// rotate, and says how often its keys were fetched.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const makeKey = async (kid) => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' };
};

let handler = (_request, response) => response.writeHead(503).end();
let fetches = 0;
const server = createServer((request, response) => {
  if (request.url === '/jwks') fetches += 1;
  return handler(request, response);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

let generation = 0;
const serve = async () => {
  generation += 1;
  const provider = new Provider(issuer, {
    jwks: { keys: [await makeKey(`key-${generation}`)] },
    clients: [
      {
        client_id: 'crew-support-7',
        client_secret: 'secret-of-the-test',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
      },
      {
        client_id: 'crew-agent-1',
        client_secret: 'secret-of-the-test',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    extraTokenClaims: (_, token) => ({ groups: [token.clientId.replace(/-\d+$/, '')] }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:sallyport',
        getResourceServerInfo: () => ({
          scope: 'query',
          audience: 'sallyport',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  handler = provider.callback();
};

await serve();
process.on('message', async (message) => {
  if (message === 'fetches') return process.send(fetches);
  await serve();
  process.send('rotated');
});
process.on('disconnect', () => process.exit());
process.send(issuer);
