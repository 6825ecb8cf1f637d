// The tag: the comment behind every statement that tells the server, its logs and its DBAs which machine sent it.
import type { RecordId, SessionId } from '../../protocols/gate.ts';

/** What never changes within a session, rendered once. */
export interface TagStem {
  readonly before: string;
  readonly after: string;
}

/** Renders the session's part of the tag; `tagged` then only puts the record in between. */
export function tagStem(identity: string, issuer: string, session: SessionId): TagStem {
  return {
    before: `/*identity='${encode(identity)}',issuer='${encode(issuer)}',record='`,
    after: `',session='${encode(session)}'`,
  };
}

/**
 * Appends the tag in the sqlcommenter form (https://google.github.io/sqlcommenter/spec/): keys sorted, values URL-encoded.
 * Behind the text, never in front, so that error positions hold. A `traceparent` the client sent in a comment is repeated in ours.
 */
export function tagged(text: string, stem: TagStem, record: RecordId): string {
  const trace = text.includes('traceparent=') ? traceparent(text) : undefined;
  const more = trace === undefined ? '' : `,traceparent='${trace}'`;
  // A line comment at the end of the text would swallow the tag; `#` begins one in MySQL.
  const gap = text.includes('--') || text.includes('#') ? '\n' : ' ';
  return `${text}${gap}${stem.before}${record}${stem.after}${more}*/`;
}

/** True when the text holds a comment that reads like our tag; it is recorded, and ours still stands last. */
export function imitatesTag(text: string): boolean {
  if (!text.includes('/*') && !text.includes('--') && !text.includes('#')) return false;
  for (const [comment] of text.matchAll(comments)) if (ourKeys.test(comment)) return true;
  return false;
}

// Within a string these are no comments: then something is recorded as an imitation that is none.
const comments = /\/\*[\s\S]*?(?:\*\/|$)|(?:--|#)[^\n]*/g;
const ourKeys = /\b(?:identity|issuer|record|session)\s*=\s*['"]/i;

// https://www.w3.org/TR/trace-context/#traceparent-header-field-values
function traceparent(text: string): string | undefined {
  return /\btraceparent='([0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})'/.exec(text)?.[1];
}

/** encodeURIComponent leaves ' and * alone; both would end our quoting or the comment. */
function encode(value: string): string {
  return encodeURIComponent(value.toWellFormed()).replace(
    /['*!()]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
