// The server's own log, kept while the demo runs: the witness for the tag.

export interface ServerLog {
  readonly add: (text: string) => void;
  /** The newest line that holds all of `parts`; the log arrives by a pipe, so a line may take a moment. */
  find(parts: readonly string[], patienceMs?: number): Promise<string | undefined>;
}

const kept = 2000;

export function serverLog(): ServerLog {
  const lines: string[] = [];
  return {
    add(text) {
      lines.push(...text.split('\n').filter((line) => line.trim() !== ''));
      if (lines.length > kept) lines.splice(0, lines.length - kept);
    },
    async find(parts, patienceMs = 3000) {
      const deadline = performance.now() + patienceMs;
      for (;;) {
        const line = lines.findLast((candidate) => parts.every((part) => candidate.includes(part)));
        if (line !== undefined || performance.now() > deadline) return line;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
  };
}
