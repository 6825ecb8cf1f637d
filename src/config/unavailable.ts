// Settings that parse but do nothing yet. Each is refused by name, so that nothing configured is silently ignored.
// A feature that lands removes its line here.
import type { Path } from './document.ts';
import type { ShapeFault } from './shape.ts';

/** One setting. In `path`, `*` stands for any key and `[]` for any index. */
export interface UnavailableSetting {
  readonly path: string;
  /** Only where the value is one of these; left out: whatever it is. */
  readonly values?: readonly unknown[];
}

export const unavailableSettings: readonly UnavailableSetting[] = [];

/** A fault for each setting of the file that is in the table. */
export function checkAvailable(value: unknown, settings: readonly UnavailableSetting[]): readonly ShapeFault[] {
  return settings.flatMap((setting) =>
    occurrences(value, setting.path.split('.'), []).flatMap(({ path, found }) => {
      if (setting.values !== undefined && !setting.values.includes(found)) return [];
      // The fault's own line names the path already; with a value, the value is what is not there yet.
      const name = setting.values === undefined ? '' : `${String(found)} is `;
      return [
        {
          path,
          at: setting.values === undefined ? ('key' as const) : ('value' as const),
          expected: `${name}not available yet`,
        },
      ];
    }),
  );
}

interface Occurrence {
  readonly path: Path;
  readonly found: unknown;
}

function occurrences(value: unknown, steps: readonly string[], path: Path): readonly Occurrence[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [{ path, found: value }];
  if (step === '[]') {
    return Array.isArray(value) ? value.flatMap((item, index) => occurrences(item, rest, [...path, index])) : [];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value)
    .filter(([key]) => step === '*' || key === step)
    .flatMap(([key, item]) => occurrences(item, rest, [...path, key]));
}

/** `listen.mysql` and the like, for the documentation's list. */
export function unavailableNames(): readonly string[] {
  return unavailableSettings.map(({ path, values }) => (values === undefined ? path : `${path}: ${values.join(', ')}`));
}
