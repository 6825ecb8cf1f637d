// An OpenID provider for people (npm oidc-provider) as a process of its own: sends its issuer, knows one public client, and lets anybody
// log in under any name; the name decides the groups.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const redirect = process.argv[2];
const groups = { dana: ['dba', 'staff'], amy: ['leads', 'staff'], vera: ['staff'] };

let handler = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => handler(request, response)).listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const { privateKey } = await generateKeyPair('ES256', { extractable: true });
const provider = new Provider(issuer, {
  jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'people', alg: 'ES256', use: 'sig' }] },
  clients: [
    {
      client_id: 'sallyport-console',
      token_endpoint_auth_method: 'none',
      redirect_uris: [redirect],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  claims: { openid: ['sub'], profile: ['name'], groups: ['groups'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, groups: groups[id] ?? [] }),
  }),
});
handler = provider.callback();
process.on('disconnect', () => process.exit());
process.send(issuer);
