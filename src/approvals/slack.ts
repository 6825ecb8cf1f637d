// The body of a notification as Slack's incoming webhooks take it (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
import { inert } from '../audit/index.ts';
import type { Notice } from './notify.ts';

interface SlackBody {
  readonly text: string;
  readonly blocks: readonly Readonly<Record<string, unknown>>[];
}

/** Longest text of a section block is 3000 characters. */
const mostText = 2500;

export function slackBody({ kind, body, id }: Notice): SlackBody {
  const about = (body.hold ?? body.grant ?? body.revocation ?? {}) as Readonly<Record<string, unknown>>;
  const by = typeof body.by === 'string' ? ` by ${body.by}` : '';
  const title = `${titles[kind] ?? kind}${by}`;
  const lines = [`*${escaped(title)}*`, ...linesOf(about)];
  const blocks: Readonly<Record<string, unknown>>[] = [
    { type: 'section', text: { type: 'mrkdwn', text: lines.join('\n').slice(0, mostText) } },
  ];
  if (typeof about.text === 'string') {
    const text = about.text.length > mostText ? `${about.text.slice(0, mostText)} …` : about.text;
    // A fence inside of the text would end the block.
    blocks.push({
      type: 'section',
      text: { type: 'mrkdwn', text: `\`\`\`${escaped(text.replaceAll('```', "'''")).slice(0, 2900)}\`\`\`` },
    });
  }
  if (kind === 'hold.requested' || kind === 'grant.requested') {
    const name = escaped(String(about.id));
    blocks.push({
      type: 'context',
      elements: [
        { type: 'mrkdwn', text: `\`sallyport approvals approve ${name}\` or \`sallyport approvals deny ${name}\`` },
      ],
    });
  }
  blocks.push({ type: 'context', elements: [{ type: 'mrkdwn', text: `sallyport ${escaped(id)}` }] });
  return { text: escaped([title, String(about.message ?? about.role ?? about.value ?? '')].join(': ')), blocks };
}

const titles: Readonly<Record<string, string>> = {
  'hold.requested': 'A statement waits for approval',
  'hold.agreed': 'One more has agreed to a statement',
  'hold.approved': 'A held statement was approved',
  'hold.denied': 'A held statement was refused',
  'hold.withdrawn': 'A held statement was withdrawn',
  'hold.expired': 'Nobody decided on a held statement in time',
  'grant.requested': 'A role is asked for',
  'grant.agreed': 'One more has agreed to a role',
  'grant.approved': 'A role was granted',
  'grant.denied': 'A role was refused',
  'grant.withdrawn': 'A request for a role was withdrawn',
  'grant.expired': 'A grant is over',
  'grant.revoked': 'A grant was revoked',
  'revocation.added': 'Access was revoked',
  'revocation.lifted': 'A revocation was lifted',
};

function linesOf(about: Readonly<Record<string, unknown>>): readonly string[] {
  const lines: string[] = [];
  const say = (name: string, value: unknown) => {
    if (typeof value === 'string' && value !== '') lines.push(`${name}: ${escaped(value.slice(0, 500))}`);
    else if (typeof value === 'number') lines.push(`${name}: ${value}`);
  };
  say('id', about.id);
  say('identity', about.identity);
  say('target', about.target);
  say('what', about.message);
  say('role', about.role);
  say('reason', about.reason);
  if (typeof about.forMs === 'number') say('minutes', Math.round(about.forMs / 6000) / 10);
  const estimate = about.estimate as { kind?: unknown; rows?: unknown } | undefined;
  if (estimate?.kind === 'estimate') say('estimated rows', estimate.rows);
  if (Array.isArray(about.parameters) && about.parameters.length > 0)
    say('parameters', about.parameters.map((each) => (each === null ? 'NULL' : String(each))).join(', '));
  const approvers = about.approvers as { groups?: readonly string[]; count?: number } | undefined;
  if (approvers?.groups !== undefined) say('deciding', `${approvers.count ?? 1} of ${approvers.groups.join(', ')}`);
  return lines;
}

/**
 * The three characters Slack gives meaning to (https://docs.slack.dev/messaging/formatting-message-text#escaping), and what could
 * hide or reorder words before the eyes of who decides.
 */
function escaped(text: string): string {
  const lines = text.split('\n').map(inert).join('\n');
  return lines.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
