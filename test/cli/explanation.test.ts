// What `sallyport explain` says of a refused statement, from readings and policies made by hand.
import { describe, expect, test } from 'vitest';
import { asJson, asText, placeOf, waysOut } from '../../src/cli/explanation.ts';
import { findings, judge } from '../../src/policy/index.ts';
import { column, everything, output, reading, session, source } from '../policy/support.ts';

const policy = session({ roles: [everything], masks: [{ columns: ['*.*.*.ssn'], mask: 'redact' }] });

function explained(part: Parameters<typeof reading>[0], text = 'select 1') {
  const made = reading(part);
  return { text, reading: made, verdict: judge(policy, made), findings: findings(policy, made) };
}

describe('an explanation', () => {
  test('shows masks of an allowed statement and no way out of it', () => {
    const text = asText(explained({ outputs: [output(source('customers.ssn'))] }));
    expect(text).toContain('mask c: redact');
    expect(text).toContain('allow by role');
    expect(text).not.toContain('shortest way');
  });

  test('lists everything that stands against a refused one, each with its place', () => {
    const sql = "select id\nfrom customers where ssn like '9%'";
    const text = asText(
      explained(
        {
          uses: [{ column: column('customers.ssn'), how: 'pattern', position: 35 }],
          sideDoors: [{ name: 'pg_stats', why: 'holds values' }],
        },
        sql,
      ),
    );
    expect(text).toContain('everything that stands against it:');
    expect(text).toContain("from customers where ssn like '9%'");
    expect(text).toContain('leave out pg_stats');
    expect(text).toMatch(/shortest way to a statement that would pass:\n(.*\n)*.*ssn = \$1/);
  });

  test('says where a masked value may go instead', () => {
    const ways = asJson(
      explained({
        flows: [{ from: [source('customers.ssn')], into: { kind: 'column', ...column('scratch.label') } }],
      }),
    ).ways;
    expect(ways).toHaveLength(1);
    expect(ways?.[0]).toContain('under the same mask instead of "label"');
  });

  test('names functions that the owner could vouch for', () => {
    const { reading: made, findings: found } = explained({
      opaque: [{ kind: 'function', name: 'public.f', why: 'its body cannot be read' }],
    });
    expect(waysOut(made, found)).toEqual([expect.stringContaining('trusted-functions: ["public.f"]')]);
  });

  test('marks the place in its line, counted in characters', () => {
    expect(placeOf('ab\ncd', 4)).toEqual(['cd', '^']);
    expect(placeOf('a😀c', 3)).toEqual(['a😀c', '  ^']);
    expect(placeOf('ab', 9)).toEqual([]);
    expect(placeOf('ab', undefined)).toEqual([]);
  });
});
