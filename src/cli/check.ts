// `sallyport check`: is the file right?
import { configRemarks } from '../config/index.ts';
import { loadOrFail } from './config.ts';

/**
 * Prints one line when the file is right; otherwise file:line:column and what was expected, with exit code 1. Secrets and files that
 * are missing here are named on stderr: they may be there where the gateway will run.
 */
export async function check(file: string): Promise<void> {
  const config = await loadOrFail(file);
  if (config === undefined) return;
  for (const remark of await configRemarks(config)) process.stderr.write(`${file}: ${remark}\n`);
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  process.stdout.write(
    `${file}: ${[
      count(config.targets.size, 'target'),
      count(config.roles.length, 'role'),
      count(config.rules.length, 'rule'),
      count(config.masks.length, 'mask'),
    ].join(', ')}: good\n`,
  );
}
