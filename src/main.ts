// The command line of Sallyport: names, options and help; the work is done in the rooms behind it.
import { Command } from 'commander';
import type { FilterOptions } from './cli/audit.ts';
import { holdYoungGeneration } from './cli/memory.ts';
import { fail } from './cli/output.ts';
import { version } from './cli/version.ts';

const program = new Command('sallyport')
  .description(
    'The guarded door in front of your databases: identity on the wire, statements judged, rows masked, everything on record.',
  )
  .version(version())
  .showHelpAfterError();

const configOption = ['-c, --config <file>', 'the configuration file'] as const;
const tokenOption = ['--token-file <file>', 'act as the identity of this token (or of SALLYPORT_TOKEN)'] as const;

program
  .command('serve')
  .description('run the gateway')
  .requiredOption(...configOption)
  .action(async (options: { config: string }) => {
    holdYoungGeneration();
    await (await import('./cli/serve.ts')).serve(options.config);
  });

program
  .command('check')
  .description('validate a configuration file; exit 1 with file:line:column and the reason')
  .requiredOption(...configOption)
  .action(async (options: { config: string }) => (await import('./cli/check.ts')).check(options.config));

program
  .command('explain')
  .description('reading, verdict and masks of a statement, without running it; exit 0 allow, 3 hold, 4 deny')
  .requiredOption(...configOption)
  .requiredOption('--target <name>', 'the target the statement is meant for')
  .requiredOption('--groups <names>', 'the groups of the identity, separated by commas', list)
  .option('--json', 'print one JSON object')
  .argument('<sql>', 'the statement')
  .action(async (sql: string, options: { config: string; target: string; groups: string[]; json?: boolean }) =>
    (await import('./cli/explain.ts')).explain(sql, { ...options, json: options.json === true }),
  );

program
  .command('scan')
  .description('samples a target and proposes masks for columns that none lists yet, as YAML')
  .requiredOption(...configOption)
  .requiredOption('--target <name>', 'the target')
  .option('--rows <count>', 'rows looked at in each table', '1000')
  .option('--json', 'print one JSON object')
  .action(async (options: { config: string; target: string; rows: string; json?: boolean }) => {
    const rows = Number(options.rows);
    if (!Number.isSafeInteger(rows) || rows < 1) return fail('--rows: expected a whole number of 1 or more');
    return (await import('./cli/scan.ts')).scan({ ...options, rows, json: options.json === true });
  });

program
  .command('token')
  .description('a token from the local issuer of the file, for development')
  .requiredOption(...configOption)
  .requiredOption('--sub <name>', 'the machine the token is for')
  .requiredOption('--groups <names>', 'its groups, separated by commas', list)
  .option('--ttl <duration>', 'how long it is good for', '15m')
  .action(async (options: { config: string; sub: string; groups: string[]; ttl: string }) =>
    (await import('./cli/token.ts')).token(options),
  );

program
  .command('login')
  .description('a short-lived database user and password for a token or a SAML assertion; prints a connection URL')
  .requiredOption(...configOption)
  .requiredOption('--target <name>', 'the target it is for')
  .option('--token-file <file>', 'the file that holds the token, - for standard input')
  .option('--saml-file <file>', 'the file that holds the assertion: XML or base64')
  .option('--json', 'print one JSON object')
  .action(async (options: { config: string; target: string; tokenFile?: string; samlFile?: string; json?: boolean }) =>
    (await import('./cli/login.ts')).login({ ...options, json: options.json === true }),
  );

const audit = program.command('audit').description('the records');
audit
  .command('tail')
  .description('the latest records, and those that follow')
  .requiredOption(...configOption)
  .option('-n, --lines <count>', 'how many of the latest to begin with', '20')
  .option('--no-follow', 'end after the latest')
  .option('--journal', 'read the journal even where there is a store')
  .option('--json', 'one JSON object a line')
  .action(async (options: { config: string; lines: string; follow: boolean; json?: boolean; journal?: boolean }) =>
    (await import('./cli/audit.ts')).tail({ ...options, json: options.json === true }),
  );

withFilters(audit.command('search'))
  .description('records that match, oldest first')
  .requiredOption(...configOption)
  .option('--json', 'one JSON object a line')
  .action(async (options: FilterOptions & { config: string; json?: boolean }) =>
    (await import('./cli/audit.ts')).search({ ...options, json: options.json === true }),
  );
withFilters(audit.command('export'))
  .description('records that match, for other systems')
  .requiredOption(...configOption)
  .option('--format <format>', 'jsonl, csv or ocsf', 'jsonl')
  .action(async (options: FilterOptions & { config: string; format: string }) =>
    (await import('./cli/audit.ts')).exportAll(options),
  );
audit
  .command('verify')
  .description('checks every chain; exit 1 and the place where something was changed')
  .requiredOption(...configOption)
  .option('--since <time>', 'from this time on: 1h, 7d, 2026-03-04')
  .option('--json', 'print one JSON object')
  .action(async (options: { config: string; since?: string; json?: boolean }) =>
    (await import('./cli/audit.ts')).verify({ ...options, json: options.json === true }),
  );

const approvals = program.command('approvals').description('held statements and requests for roles');
approvals
  .command('list')
  .description('what waits for a decision')
  .requiredOption(...configOption)
  .option('--all', 'what was decided lately too')
  .option('--json', 'one JSON object a line')
  .action(async (options: { config: string; all?: boolean; json?: boolean }) =>
    (await import('./cli/approvals.ts')).listApprovals({
      ...options,
      all: options.all === true,
      json: options.json === true,
    }),
  );
for (const [verdict, what] of [
  ['approve', 'agree to a held statement, or to a request for a role'],
  ['deny', 'refuse it'],
] as const) {
  const command = approvals
    .command(verdict)
    .description(what)
    .requiredOption(...configOption)
    .argument('<id>', 'as the list names it')
    .option('--reason <text>', 'why')
    .option(...tokenOption)
    .option('--json', 'print one JSON object');
  if (verdict === 'approve')
    command.option(
      '--for <duration>',
      'statements of this shape by this identity for so long; a role for at most so long',
    );
  command.action(
    async (
      id: string,
      options: { config: string; reason?: string; for?: string; tokenFile?: string; json?: boolean },
    ) => (await import('./cli/approvals.ts')).decide(id, verdict, { ...options, json: options.json === true }),
  );
}

const grants = program.command('grants').description('roles for a time');
grants
  .command('request')
  .description('ask for a role, as the identity of a token')
  .requiredOption(...configOption)
  .requiredOption('--role <name>', 'a role of the file that can be asked for')
  .requiredOption('--for <duration>', 'how long it is needed')
  .requiredOption('--reason <text>', 'why, for those who decide')
  .option(...tokenOption)
  .option('--json', 'print one JSON object')
  .action(
    async (options: {
      config: string;
      role: string;
      for: string;
      reason: string;
      tokenFile?: string;
      json?: boolean;
    }) => (await import('./cli/grants.ts')).requestGrant({ ...options, json: options.json === true }),
  );
grants
  .command('list')
  .description('requests, and grants in force')
  .requiredOption(...configOption)
  .option('--all', 'those that are over too')
  .option('--json', 'one JSON object a line')
  .action(async (options: { config: string; all?: boolean; json?: boolean }) =>
    (await import('./cli/grants.ts')).listGrants({
      ...options,
      all: options.all === true,
      json: options.json === true,
    }),
  );
grants
  .command('revoke')
  .description('end a grant, or withdraw a request')
  .requiredOption(...configOption)
  .argument('<id>', 'as the list names it')
  .option('--reason <text>', 'why')
  .option(...tokenOption)
  .option('--json', 'print one JSON object')
  .action(async (id: string, options: { config: string; reason?: string; tokenFile?: string; json?: boolean }) =>
    (await import('./cli/grants.ts')).revokeGrant(id, { ...options, json: options.json === true }),
  );

const sessions = program.command('sessions').description('who is connected');
sessions
  .command('list')
  .description('the sessions of all gateways that share the store')
  .requiredOption(...configOption)
  .option('--json', 'one JSON object a line')
  .action(async (options: { config: string; json?: boolean }) =>
    (await import('./cli/sessions.ts')).listSessions({ ...options, json: options.json === true }),
  );
sessions
  .command('kill')
  .description('end a session, on whichever gateway it is')
  .requiredOption(...configOption)
  .argument('<id>', 'as the list names it')
  .option('--reason <text>', 'why')
  .option('--json', 'print one JSON object')
  .action(async (id: string, options: { config: string; reason?: string; json?: boolean }) =>
    (await import('./cli/sessions.ts')).killSession(id, { ...options, json: options.json === true }),
  );

program
  .command('revoke')
  .description(
    'end the sessions of an identity, token, credential or session, and refuse its logins until that is lifted',
  )
  .requiredOption(...configOption)
  .option('--identity <issuer/subject>', 'this identity')
  .option('--token-id <jti>', 'this token')
  .option('--session <id>', 'this session')
  .option('--credential <user>', 'this credential')
  .option('--reason <text>', 'why')
  .option('--json', 'print one JSON object')
  .action(
    async (options: {
      config: string;
      identity?: string;
      tokenId?: string;
      session?: string;
      credential?: string;
      reason?: string;
      json?: boolean;
    }) => (await import('./cli/sessions.ts')).revoke({ ...options, json: options.json === true }),
  );

const revocations = program.command('revocations').description('what is revoked');
revocations
  .command('list')
  .description('what is revoked, the latest first')
  .requiredOption(...configOption)
  .option('--json', 'one JSON object a line')
  .action(async (options: { config: string; json?: boolean }) =>
    (await import('./cli/sessions.ts')).listRevocations({ ...options, json: options.json === true }),
  );
revocations
  .command('lift')
  .description('let logins pass again')
  .requiredOption(...configOption)
  .argument('<id>', 'as the list names it')
  .option('--json', 'print one JSON object')
  .action(async (id: string, options: { config: string; json?: boolean }) =>
    (await import('./cli/sessions.ts')).liftRevocation(id, { ...options, json: options.json === true }),
  );

program
  .command('console-link')
  .description('a link that lets one person into the console, once')
  .requiredOption(...configOption)
  .option('--name <name>', 'who it is for, as records will say', 'operator')
  .option('--role <role>', 'viewer, approver or admin', 'admin')
  .option('--url <url>', "the console's address as a browser reaches it; left out: listen.console")
  .action(async (options: { config: string; name: string; role: string; url?: string }) =>
    (await import('./cli/console-link.ts')).consoleLink(options),
  );

program
  .command('demo')
  .description('the whole product on an embedded PostgreSQL, with a scripted agent')
  .option('--once', 'end after the script, with 0 if every step happened')
  .action(async (options: { once?: boolean }) => {
    holdYoungGeneration();
    await (await import('./cli/demo.ts')).demo(options.once === true);
  });

function withFilters(command: Command): Command {
  return command
    .option('--identity <name>', 'of this identity')
    .option('--group <name>', 'of identities in this group')
    .option('--target <name>', 'on this target')
    .option('--table <name>', 'naming this table')
    .option('--column <name>', 'naming this column')
    .option('--verdict <verdict>', 'allow, deny or hold')
    .option('--rule <name>', 'decided by this rule')
    .option('--verb <verb>', 'with this verb')
    .option('--text <text>', 'with this in the text')
    .option('--fingerprint <id>', 'of this shape')
    .option('--since <time>', 'from this time on: 1h, 7d, 2026-03-04')
    .option('--until <time>', 'before this time')
    .option('--min-duration <duration>', 'that ran at least this long')
    .option('--min-rows <count>', 'that returned at least this many rows')
    .option('--journal', 'read the journal even where there is a store');
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

// `audit export | head`: who reads no further wants no more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (cause) {
  // What the machine says no to (a taken port, a locked journal, a store out of reach) has a code and is told in one line;
  // anything else is a fault of ours, whose place must show.
  if (!(cause instanceof Error && 'code' in cause && typeof cause.code === 'string')) throw cause;
  fail(`${program.name()}: ${cause.message}`);
  process.exit();
}
