// A progress bar on one line of a terminal; elsewhere nothing is written.

export interface ProgressBar {
  /** Draws the bar: `done` of `total`, and what is being worked on. */
  show(done: number, total: number, what: string): void;
  clear(): void;
}

const width = 24;

/** A bar on `stream`, where it is a terminal. */
export function progressBar(stream: NodeJS.WriteStream): ProgressBar {
  let shown = false;
  return {
    show(done, total, what) {
      if (stream.isTTY !== true) return;
      const filled = total === 0 ? width : Math.round((done / total) * width);
      const line = `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${done}/${total} ${printable(what)}`;
      stream.write(`\r\x1b[K${line.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`);
      shown = true;
    },
    clear() {
      if (shown) stream.write('\r\x1b[K');
      shown = false;
    },
  };
}

/** Names come from a database: nothing in them may act on a terminal. */
function printable(text: string): string {
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?');
}
