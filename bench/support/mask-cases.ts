// What the gateway masks in `bench masking`: each case is a target of its own on one database, with its own masks.

export interface MaskCase {
  /** The target's name, and the subject's in the figures. */
  readonly name: string;
  /** Columns of `people` under each mask, as the file writes the mask. */
  readonly masks: readonly (readonly [mask: string, ...columns: string[]])[];
  /** Reads the document in place of the last column. */
  readonly document?: boolean;
}

const three = ['email', 'ssn', 'card_number'] as const;
const eight = ['id', 'name', 'email', 'ssn', 'card_number', 'phone', 'city', 'amount'] as const;

/** The first is the one that is compared and drawn: two `keep-last: 4` and one `redact`. */
export const maskCases: readonly MaskCase[] = [
  {
    name: 'gateway',
    masks: [
      ['{ keep-last: 4 }', 'ssn', 'card_number'],
      ['redact', 'email'],
    ],
  },
  { name: 'redact-3', masks: [['redact', ...three]] },
  { name: 'redact-8', masks: [['redact', ...eight]] },
  { name: 'keep-last-3', masks: [['{ keep-last: 4 }', ...three]] },
  { name: 'keep-last-8', masks: [['{ keep-last: 4 }', ...eight]] },
  // What is no address is redacted by the same mask.
  { name: 'email-3', masks: [['email', ...three]] },
  { name: 'hash-3', masks: [['hash', ...three]] },
  { name: 'hash-8', masks: [['hash', ...eight]] },
  { name: 'jsonb-path', masks: [['{ paths: ["$.contact.ssn"] }', 'document']], document: true },
];

/** The `masks` section for all cases. */
export function maskSection(cases: readonly MaskCase[], target: (name: string) => string): string {
  const entries = cases.flatMap(({ name, masks }) =>
    masks.map(([mask, ...columns]) => {
      const patterns = columns.map((column) => `"${target(name)}.*.people.${column}"`).join(', ');
      return `  - columns: [${patterns}]\n    mask: ${mask}`;
    }),
  );
  return `masks:\n${entries.join('\n')}\n`;
}
