// Ways in which MySQL tells a piece of a masked value without showing it: by NULL, by an error or a warning, by cutting what does not
// fit, by comparing a text as a number. Each is refused, and what is like it and tells nothing is not.
import { describe, expect, test } from 'vitest';
import { judge } from '../../../src/policy/index.ts';
import { session as sessionWith } from '../../policy/support.ts';
import { haveMariadb } from '../../support/mariadb.ts';
import { shop } from './support.ts';

const timeout = 300_000;
const policy = sessionWith({
  roles: [{ name: 'all', groups: ['crew'], targets: ['shop'], allow: ['read', 'write', 'ddl', 'session', 'admin'] }],
  masks: [{ columns: ['ssn', 'email', 'dob', 'salary', 'profile'].map((name) => `*.*.*.${name}`), mask: 'redact' }],
});

describe.skipIf(!haveMariadb)('pieces of masked values in MySQL', () => {
  const at = shop(
    'create table cut (id int, ssn varchar(3), dob datetime)',
    'create table counted (id int, ssn int, salary int)',
    'create table kept (id int, ssn varchar(40), salary decimal(10,2))',
  );
  const refused = async (text: string) => judge(policy, await at().reading(text)).kind !== 'allow';

  test.each([
    ['by NULL', 'select elt(salary % 3, 1, 2) from customers'],
    ['by NULL', "select json_search(profile, 'one', 'a%') from customers"],
    ['by NULL', 'select sqrt(salary - 150) from customers'],
    ['by NULL', 'select ln(salary - 150), acos(salary / 150) from customers'],
    ['by NULL', 'select from_days(salary * 9) from customers'],
    ['by NULL', 'select dob + interval 8015 year from customers'],
    ['by NULL', 'select date_add(dob, interval 8015 year) from customers'],
    ['by NULL', 'select cast(salary as date) from customers'],
    ['by NULL', "select lpad('x', salary, 'y') from customers"],
    ['by overflow', 'select salary * 153722867280912 from customers'],
    ['by overflow', 'select pow(salary, 80), exp(salary) from customers'],
    ['by a warning', 'select cast(salary as decimal(4, 0)) from customers'],
    ['as a number', 'select count(*) from customers c join counted t on c.ssn = t.ssn'],
    ['as a number', 'select count(*) from customers c join counted t on c.ssn = t.salary'],
    ['as a number', 'select count(*) from customers where ssn in (select salary from counted)'],
    ['as a number', 'select count(*) from customers natural join counted'],
    ['cut', 'insert ignore into cut (ssn) select ssn from customers'],
    ['cut', 'insert ignore into counted (ssn) select ssn from customers'],
    ['cut', 'insert ignore into counted (salary) select salary from customers'],
    ['cut', 'create unique index beginnings on vault (ssn(1))'],
    ['by files', "load data infile '/etc/passwd' into table archive (value)"],
  ])('%s: %s', { timeout }, async (_, text) => {
    expect(await refused(text)).toBe(true);
  });

  test.each([
    'select salary * 12, salary * 1.1, salary + 1000, salary / 12 from customers',
    'select year(dob), month(dob), date_format(dob, "%Y"), round(salary, -3), floor(salary / 1000) from customers',
    "select lpad(ssn, 20, '0'), rpad(ssn, 3, 'x') from customers",
    'select cast(salary as decimal(12, 2)), cast(dob as date), cast(dob as char) from customers',
    'select json_extract(profile, "$.a"), json_value(profile, "$.a") from customers',
    'select count(*) from customers a join vault b on a.ssn = b.ssn',
    'insert into kept (ssn, salary) select ssn, salary from customers',
    'create index by_ssn on vault (ssn)',
    'create unique index by_ssn on vault (ssn)',
  ])('not refused: %s', { timeout }, async (text) => {
    expect(await refused(text)).toBe(false);
  });
});
