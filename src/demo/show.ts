// What the demo prints: short lines, colour on a terminal only, and a running clock on every step that takes a while.
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** The part of a stream that the demo writes to; `process.stdout` is one. */
export interface Out {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Show {
  line(text?: string): void;
  style(style: Style, text: string): string;
  /** Runs one step under a name; `tell` says how far it is; what it resolves to, if a string, replaces the name when it is done. */
  step<T>(name: string, work: (tell: (detail: string) => void) => Promise<T>, done?: (result: T) => string): Promise<T>;
  /** Rows of cells, each column as wide as its widest cell. Styles apply to whole columns. */
  table(rows: readonly (readonly string[])[], styles?: readonly (Style | undefined)[]): void;
}

/** How often a step that is still at work says so where the line cannot be rewritten. */
const plainIntervalMs = 2000;

export function show(out: Out): Show {
  const colour = out.isTTY === true && (process.env.NO_COLOR ?? '') === '';
  const style = (name: Style, text: string) => (colour ? styleText(name, text) : text);
  const line = (text = '') => void out.write(`${text}\n`);

  const step: Show['step'] = async (name, work, done) => {
    const start = performance.now();
    let detail = '';
    const seconds = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
    const running = () =>
      `  ${style('dim', '…')} ${name}${detail === '' ? '' : `: ${detail}`} ${style('dim', seconds())}`;
    const rewrite = out.isTTY === true;
    if (rewrite) out.write(running());
    const clock = setInterval(
      () => (rewrite ? out.write(`\r\x1b[2K${running()}`) : line(running())),
      rewrite ? 100 : plainIntervalMs,
    );
    const end = (mark: string, text: string) => {
      clearInterval(clock);
      line(`${rewrite ? '\r\x1b[2K' : ''}  ${mark} ${text} ${style('dim', seconds())}`);
    };
    try {
      const result = await work((text) => {
        detail = text;
      });
      end(style('green', '✓'), done?.(result) ?? name);
      return result;
    } catch (error) {
      end(style('red', '✗'), name);
      throw error;
    }
  };

  const table: Show['table'] = (rows, styles = []) => {
    const widths: number[] = [];
    for (const row of rows)
      for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, Math.min(cell.length, 60));
    for (const row of rows) {
      const cells = row.map((cell, at) => {
        const padded = at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0);
        const name = styles[at];
        return name === undefined ? padded : style(name, padded);
      });
      line(`     ${cells.join('  ')}`);
    }
  };

  return { line, style, step, table };
}
