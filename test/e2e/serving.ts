// A gateway as a process of its own, as `serve` runs it from a file: started, heard when it is ready, and ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The command, as `npx sallyport` runs it in a checkout. */
export const bin = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));

/** Starts it. Whoever does this ends it with `endServing`, whether it comes up or not. */
export function startServing(file: string, env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [bin, 'serve', '-c', file], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Its `ready` line; rejects when it ends before. */
export function readyLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (out.includes('\n')) resolve(out);
    });
    child.once('exit', (code) => reject(new Error(`the gateway ended with ${code}`)));
  });
}

/** The port of a listener that a `ready` line names. */
export function portIn(line: string, listener: 'postgres' | 'mysql'): number {
  return Number(new RegExp(`${listener}=[^:]+:(\\d+)`).exec(line)?.[1]);
}

/** Ends it and gives its exit code; at once where it has ended already. */
export async function endServing(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const over = once(child, 'exit');
    child.kill(signal);
    await over;
  }
  return child.exitCode;
}
