// Which lines of a run through the gateway differ from a direct run, but for those in which two direct runs differ from each other.

/** Empty when the outputs are the same; otherwise the differing lines, `-` as the direct run has them and `+` as the gateway has them. */
export function differences(one: readonly string[], two: readonly string[], gate: readonly string[]): string[] {
  if (one.length === two.length && one.length === gate.length) {
    return one.flatMap((line, index) => {
      const other = gate[index];
      return line === other || line !== two[index] ? [] : [`- ${index + 1}: ${line}`, `+ ${index + 1}: ${other}`];
    });
  }
  // Lines were added or left out somewhere: what counts is which lines there are.
  const [a, b, c] = [counts(one), counts(two), counts(gate)];
  const wrong: string[] = [];
  for (const [line, times] of c) {
    if (times > Math.max(a.get(line) ?? 0, b.get(line) ?? 0)) wrong.push(`+ ${line}`);
  }
  for (const [line, times] of a) {
    if (Math.min(times, b.get(line) ?? 0) > (c.get(line) ?? 0)) wrong.push(`- ${line}`);
  }
  return wrong;
}

function counts(lines: readonly string[]): Map<string, number> {
  const all = new Map<string, number>();
  for (const line of lines) all.set(line, (all.get(line) ?? 0) + 1);
  return all;
}

/** A text without the tags that the server shows where it shows statements, and without the widths they made. */
export function untagged(text: string): string {
  return text
    .replaceAll(/ ?\/\*identity='[^*]*\*\//g, '')
    .replaceAll(/ +/g, ' ')
    .replaceAll(/-{2,}/g, '--');
}
