// The configuration file's shape (zod): which keys there are, what each holds, and its description for editors.
// What needs more than one place to judge (cross references) is in references.ts; the typed result is made in resolve.ts.
import { z } from 'zod';
import { identity, listen, target } from './schema-places.ts';
import { mask, role, rule } from './schema-rules.ts';
import { choice, count, duration, flag, mode, name, names, secret, size, text } from './schema-values.ts';

const audit = z
  .strictObject(
    {
      journal: text('a folder').prefault('data/journal').describe('Folder of the journal.'),
      durable: flag().prefault(true).describe('A statement is sent on only when its record is on disk.'),
      rotation: z
        .strictObject(
          {
            size: size().prefault('64MiB').describe('A segment is sealed when it reaches this size.'),
            age: duration().prefault('24h').describe('A segment is sealed when it is this old.'),
          },
          { error: 'expected { size, age }' },
        )
        .prefault({})
        .describe('When a new segment is begun.'),
      retention: z
        .union([choice('forever'), duration()], { error: 'expected forever, or a duration such as 90d' })
        .prefault('forever')
        .describe('Sealed segments older than this are removed.'),
      compress: flag().prefault(false).describe('Compress sealed segments.'),
      export: z
        .strictObject({ otlp: text('a URL').describe('OpenTelemetry collector (OTLP over HTTP).') })
        .optional()
        .describe('Records are sent there too.'),
    },
    { error: 'expected { journal, durable, ... }' },
  )
  .describe('The records of what was done.');

/** The whole file, as written (input) and with its values parsed and defaults filled in (output). */
export const fileSchema = z.strictObject(
  {
    listen: listen,
    insecure: flag()
      .prefault(false)
      .describe('Accept tokens without TLS from other machines. Never where the network is not yours.'),
    data: text('a folder').prefault('data').describe("Folder for the gateway's own keys and state."),
    identity: identity,
    credentials: z
      .strictObject({ 'max-lifetime': duration().prefault('15m').describe('Longest life of a credential.') })
      .optional()
      .describe('Short-lived database credentials issued for tokens.'),
    targets: z
      .record(name('a target name'), target, { error: 'expected targets by name' })
      .refine((value) => Object.keys(value).length > 0, 'expected at least one target')
      .describe('The databases behind the gateway, by the name that clients use as database.'),
    roles: z
      .array(role, { error: 'expected a list of roles' })
      .prefault([])
      .describe('Who may do what where. Without a role, nothing.'),
    rules: z
      .array(rule, { error: 'expected a list of rules' })
      .prefault([])
      .describe('What is refused or held all the same. All are tried; deny beats hold beats allow.'),
    masks: z
      .array(mask, { error: 'expected a list of masks' })
      .prefault([])
      .describe('Which columns are masked, and how. The first that applies to a column wins.'),
    'mask-key': secret().optional().describe('Key of hash and fake. Left out: a random key in the data folder.'),
    'second-reader': choice('off', 'observe', 'enforce')
      .prefault('observe')
      .describe('An independent parser checks the readings: observe counts disagreements, enforce refuses on them.'),
    mode: mode().prefault('enforce').describe('observe: judge and record, refuse and mask nothing.'),
    audit: audit.prefault({}),
    store: z
      .string({ error: 'expected embedded or postgres://...' })
      .regex(/^(embedded|postgres(ql)?:\/\/.+)$/, 'expected embedded or postgres://...')
      .optional()
      .describe('The control database: embedded, or the URL of a Postgres that several gateways share.'),
    limits: z
      .strictObject(
        {
          'login-timeout': duration().prefault('15s').describe('A client must have logged in by then.'),
          'idle-timeout': duration().optional().describe('Sessions that are idle for longer end.'),
          'drain-timeout': duration().prefault('30s').describe('How long running statements may take after SIGTERM.'),
          sessions: count(1, 1_000_000).prefault(5000).describe('Sessions at a time.'),
          'sessions-per-identity': count(1, 1_000_000).optional().describe('Sessions at a time for one identity.'),
          unauthenticated: count(1, 1_000_000)
            .prefault(1000)
            .describe('Connections at a time that have not logged in yet.'),
        },
        { error: 'expected limits, e.g. { login-timeout: 15s }' },
      )
      .prefault({})
      .describe('Limits of the gateway itself.'),
    'loop-breaker': z
      .strictObject({
        repeats: count(2).prefault(50).describe('The same statement this often ...'),
        within: duration().prefault('10s').describe('... in this time ...'),
        pause: duration().prefault('1m').describe('... pauses the identity for this long.'),
      })
      .optional()
      .describe('Stops an agent that repeats itself.'),
    notifications: z
      .strictObject({
        webhook: z
          .strictObject({
            url: text('a URL').describe('Where to post.'),
            secret: secret().describe('Key of the signature.'),
            format: choice('json', 'slack').prefault('json').describe('Form of the body.'),
          })
          .describe('Held statements and requests are posted there.'),
      })
      .optional()
      .describe('Who is told about held statements and requests.'),
    console: z
      .strictObject({
        issuer: text('an issuer').optional().describe('One of identity.issuers: people log in there (OIDC).'),
        'client-id': text('a client id')
          .optional()
          .describe('Public OIDC client of the console; its redirect URI ends with /login/callback.'),
        viewers: names('group').prefault([]).describe('Groups that may look.'),
        approvers: names('group').prefault([]).describe('Groups that may decide.'),
        admins: names('group').prefault([]).describe('Groups that may do everything.'),
      })
      .optional()
      .describe('The web page.'),
    'keep-application-name': flag()
      .prefault(false)
      .describe("Postgres: leave the client's own application_name as it is."),
    workers: count(1, 256).prefault(1).describe('Worker processes that share the sessions.'),
  },
  { error: 'expected the keys listen, identity, targets, roles, ...' },
);

/** The file after parsing, keys as written. */
export type FileContent = z.output<typeof fileSchema>;

/** The JSON Schema editors use. */
export function jsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' });
  return { $schema, title: 'Sallyport configuration', ...rest };
}
