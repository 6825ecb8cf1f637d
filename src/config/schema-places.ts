// The file's schema, the part that connects: listeners, issuers and targets.
import { z } from 'zod';
import { detectors } from '../masking/spec.ts';
import {
  address,
  approvers,
  choice,
  count,
  duration,
  flag,
  names,
  oneOf,
  secret,
  size,
  someNames,
  text,
} from './schema-values.ts';

export const listen = z
  .strictObject(
    {
      postgres: address()
        .optional()
        .describe('Where Postgres clients connect, e.g. 127.0.0.1:6432. Port 0: any free port.'),
      mysql: address().optional().describe('Where MySQL clients connect, e.g. 127.0.0.1:6306.'),
      console: address().optional().describe('Where the console and the HTTP API are served.'),
      tls: z
        .strictObject(
          {
            cert: text('a path').describe('Certificate chain (PEM).'),
            key: text('a path').describe('Private key (PEM).'),
          },
          { error: 'expected { cert, key }' },
        )
        .optional()
        .describe('TLS for clients. Without it tokens are accepted on loopback only.'),
      insecure: flag().optional().describe('The same as `insecure` at the top of the file.'),
    },
    { error: 'expected addresses by protocol, e.g. { postgres: 127.0.0.1:6432 }' },
  )
  .describe('Addresses the gateway listens on.');

const claimPath = (what: string) =>
  z.union([text(what), z.array(text(what)).min(1)], { error: `expected ${what}, or a list of them` });

const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;

const issuer = z
  .strictObject(
    {
      issuer: text('the issuer as in the iss claim')
        .optional()
        .describe("The issuer, exactly as in the token's `iss` claim."),
      local: flag().optional().describe('An issuer of our own for development; its key lives in the data folder.'),
      audience: z
        .union([text('an audience'), someNames('audience')], { error: 'expected an audience, or a list of them' })
        .optional()
        .describe('A token must name one of these in `aud`. Default: sallyport.'),
      jwks: text('file:PATH or an https URL')
        .optional()
        .describe("The issuer's public keys: file:PATH or an https URL. Left out: OIDC discovery."),
      claims: z
        .strictObject(
          {
            subject: claimPath('a claim path').optional().describe('Claim that identifies the machine. Default: sub.'),
            name: claimPath('a claim path')
              .optional()
              .describe('Claim shown in records and in the tag. Default: the subject.'),
            groups: claimPath('a claim path')
              .optional()
              .describe('Claim with the groups: a list, or a text divided by spaces or commas. Default: groups.'),
          },
          { error: 'expected { name, groups }' },
        )
        .optional()
        .describe('Where claims are; dotted paths allowed, e.g. realm_access.roles.'),
      groups: someNames('group').optional().describe('Groups that every identity of this issuer has besides.'),
      algorithms: z
        .array(choice(...algorithms), { error: `expected a list of ${oneOf(algorithms)}` })
        .min(1, 'expected at least one algorithm')
        .optional()
        .describe('Signature algorithms accepted. Default: all that are listed here.'),
      'clock-skew': duration().prefault('30s').describe('How far clocks may differ.'),
      'max-lifetime': duration().prefault('24h').describe('Tokens that stay valid for longer than this are refused.'),
      'jwks-max-age': duration().prefault('5m').describe('Keys older than this are fetched anew before they are used.'),
      'jwks-cooldown': duration()
        .prefault('10s')
        .describe('At most one fetch in this time when an unknown key is named.'),
      'jwks-timeout': duration().prefault('5s').describe('How long a fetch of keys may take.'),
    },
    { error: 'expected an issuer, e.g. { issuer: https://idp.example.com, audience: sallyport }' },
  )
  .superRefine((value, context) => {
    if (value.local === true) {
      if (value.jwks !== undefined)
        context.addIssue({
          code: 'custom',
          path: ['jwks'],
          message: 'expected no jwks for a local issuer: its key is in the data folder',
        });
    } else if (value.issuer === undefined) {
      context.addIssue({ code: 'custom', message: 'expected the key "issuer", or local: true' });
    }
  });

export const identity = z
  .strictObject(
    {
      issuers: z
        .array(issuer, { error: 'expected a list of issuers' })
        .min(1, 'expected at least one issuer')
        .describe('Who may say who a machine is.'),
      grace: duration().prefault('0s').describe('A session may outlive its token by this long.'),
      saml: z
        .strictObject({
          issuer: text('the entity id').describe('Entity id of the identity provider.'),
          audience: text('the audience').describe('Entity id of this gateway.'),
          certificate: text('a path').describe("The provider's signing certificate (PEM)."),
          'groups-attribute': text('an attribute name').prefault('groups').describe('Attribute that lists the groups.'),
          recipient: text('a URL')
            .optional()
            .describe("What the assertion's subject confirmation must name as its Recipient. Left out: not looked at."),
        })
        .optional()
        .describe('SAML 2.0 assertions that may be exchanged for a credential.'),
    },
    { error: 'expected { issuers: [...] }' },
  )
  .describe('How machines prove who they are.');

const tlsModes = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

export const target = z.strictObject(
  {
    dialect: choice('postgres', 'mysql').describe('Wire protocol and SQL dialect; MariaDB is mysql.'),
    url: text('a URL such as postgres://user@host:5432/database').describe(
      'Where it is: postgres://user@host:5432/database or mysql://user@host:3306/database.',
    ),
    password: secret().optional().describe("Password of the gateway's own user there."),
    tls: z
      .union(
        [
          choice(...tlsModes),
          z.strictObject({
            mode: choice(...tlsModes)
              .prefault('verify-full')
              .describe('How far the server is checked.'),
            ca: text('a path').optional().describe('Certificates to trust (PEM). Left out: those of Node.'),
            cert: text('a path').optional().describe('Client certificate (PEM).'),
            key: text('a path').optional().describe('Key of the client certificate (PEM).'),
          }),
        ],
        { error: `expected ${oneOf(tlsModes)}, or { mode, ca, cert, key }` },
      )
      .optional()
      .describe('TLS to the server. Default: verify-full; disable where the host is loopback.'),
    'connect-timeout': duration().prefault('10s').describe('How long connecting and logging in may take.'),
    'trusted-functions': names('function')
      .prefault([])
      .describe(
        'Functions whose body need not be read, e.g. reports.monthly; others of that kind are refused while masks apply.',
      ),
    'max-statement-bytes': size().prefault('16MiB').describe('Longer statements are refused.'),
    settings: z
      .record(
        z.string(),
        z.union([z.string(), z.number(), z.boolean()], { error: 'expected a text, a number, true or false' }),
        { error: 'expected settings and their values' },
      )
      .prefault({})
      .describe('Server settings for every session, e.g. { work_mem: 64MB }.'),
    'catalog-refresh': duration().prefault('5m').describe('How often tables, views and functions are read anew.'),
    detectors: z
      .strictObject({
        action: choice('report', 'mask').describe('Count findings, or mask them.'),
        kinds: z
          .array(choice(...detectors), { error: 'expected a list of detectors' })
          .min(1, 'expected at least one detector')
          .optional()
          .describe('Which kinds. Default: all.'),
      })
      .optional()
      .describe('Finds sensitive values by their content in columns that no mask lists.'),
    'cost-guard': z
      .strictObject({
        rows: count().optional().describe('Estimated rows.'),
        cost: z.number().positive().optional().describe('Estimated cost.'),
        // biome-ignore lint/suspicious/noThenProperty: the file's own word for what a rule does; never a promise.
        then: choice('deny', 'hold').prefault('deny').describe('What happens above the threshold.'),
        approvers: approvers().optional().describe('Who decides where it is held.'),
      })
      .superRefine((value, context) => {
        if (value.rows === undefined && value.cost === undefined)
          context.addIssue({ code: 'custom', message: 'expected the key "rows" or "cost"' });
        if (value.then === 'hold' && value.approvers === undefined)
          context.addIssue({ code: 'custom', message: 'expected the key "approvers" beside then: hold' });
        if (value.then !== 'hold' && value.approvers !== undefined)
          context.addIssue({
            code: 'custom',
            path: ['approvers'],
            message: 'expected approvers only beside then: hold',
          });
      })
      .optional()
      .describe('Asks the server for its estimate before a statement runs.'),
  },
  { error: 'expected a target, e.g. { dialect: postgres, url: postgres://gateway@127.0.0.1:5432/shop }' },
);
