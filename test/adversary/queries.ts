// Random statements over the schema of fixtures/adversary: typed well enough that most of them run, wild enough to go everywhere.
// They are drawn from a list of numbers, so that fast-check can shrink what fails by making the numbers fewer and smaller.
import fc from 'fast-check';

type Type = 'text' | 'int' | 'numeric' | 'date' | 'time' | 'bool' | 'json' | 'array';

interface Col {
  readonly name: string;
  readonly type: Type;
  readonly masked?: boolean;
}

interface Source {
  readonly alias: string;
  readonly columns: readonly Col[];
  /** Its whole row is a row, not one value. */
  readonly row: boolean;
}

function columns(text: string): Col[] {
  return text.split(' ').map((part) => {
    const [name = '', type = 'text'] = part.replace('!', '').split(':');
    return { name, type: type as Type, masked: part.endsWith('!') };
  });
}

const tables: Readonly<Record<string, readonly Col[]>> = {
  customers: columns(
    'id:int name:text email:text! ssn:text! card_number:text! birth_date:date! salary:int! phone:text city:text secret:json! active:bool created_at:time',
  ),
  orders: columns('id:int customer_id:int status:text total:numeric ordered_at:time'),
  order_items: columns('order_id:int line:int product:text quantity:int price:numeric'),
  support_notes: columns('id:int customer_id:int author:text body:text! written_at:time'),
  employees: columns('id:int manager_id:int name:text title:text'),
  payments: columns('id:int customer_id:int iban:text! amount:numeric paid_on:date'),
  payments_2024: columns('id:int customer_id:int iban:text! amount:numeric paid_on:date'),
  people: columns('id:int ssn:text!'),
  contractors: columns('id:int ssn:text! agency:text'),
  unique_ids: columns('id:int ssn:text!'),
  labels: columns('label:text'),
  scratch: columns('id:int label:text payload:text number:int'),
  customer_contacts: columns('id:int name:text contact:text! phone:text'),
  customer_ids: columns('id:int name:text city:text'),
  customer_hints: columns('id:int hint:text! doc:json!'),
  nested_contacts: columns('id:int contact:text! total:numeric'),
  customer_report: columns('city:text customers:int top_ssn:text!'),
  twin_report: columns('id:int mark:text!'),
  barred: columns('id:int note:text!'),
};
const names = Object.keys(tables);
const writable = ['scratch', 'labels', 'customers', 'orders', 'support_notes', 'employees', 'people'];

const literals: Readonly<Record<Type, readonly string[]>> = {
  text: [`'open'`, `'Oslo'`, `'x'`, `'-'`, `'000-00-0000'`, `''`, `'9'`, `null::text`],
  int: ['0', '1', '2', '7', '42', '100000', 'null::int'],
  numeric: ['1.5', '0.1', '100.0', '12.00'],
  date: [`date '2024-01-01'`, `date '1970-05-05'`],
  time: [`timestamptz '2024-03-01 00:00+00'`],
  bool: ['true', 'false'],
  json: [`'{"a": 1}'::jsonb`, `'[1, "b"]'::jsonb`],
  array: [`array['a', 'b']`, `'{x,y}'::text[]`],
};

/** `$t` stands for an expression of that type. */
const calls: Readonly<Record<Type, readonly string[]>> = {
  text: (
    `upper($text)|lower($text)|initcap($text)|reverse($text)|trim($text)|left($text, $int)|right($text, 2)|substr($text, 1, 3)|` +
    `substring($text from 2)|substring($text from '^[0-9]+')|replace($text, '-', '')|translate($text, '0123456789', 'abcdefghij')|` +
    `$text || $text|concat($text, $text)|concat_ws('-', $text, $int)|format('%s:%s', $text, $int)|md5($text)|quote_literal($text)|` +
    `lpad($text, 12, '*')|repeat($text, 2)|split_part($text, '-', 1)|regexp_replace($text, '[0-9]', 'x', 'g')|overlay($text placing 'x' from 1)|` +
    `coalesce($text, $text)|nullif($text, $text)|greatest($text, $text)|($int)::text|($numeric)::text|($date)::text|($bool)::text|($json)::text|` +
    `case when $bool then $text else $text end|case $int when 1 then $text end|($json) ->> 'a'|($json) #>> '{a}'|to_char($date, 'YYYY-MM')|` +
    `to_char($numeric, '999.99')|array_to_string($array, ',')|($array)[1]|pg_typeof($text)::text|encode(convert_to($text, 'UTF8'), 'hex')|` +
    `encode(sha256(convert_to($text, 'UTF8')), 'hex')|greet($text)|pick_second($text, $text)|pick_second(second => $text, first => $text)|` +
    `pick_third($text, third => $text, second => $text)|glue($text, $text)|ssn_of($int)|atomic_ssn($int)|fixed_ssn($int)|(full_customer($int)).name|` +
    `(full_customer($int)).ssn|string_to_array($text, '-')::text|regexp_substr($text, '^.')|$text collate "C"|($text)::varchar(5)|btrim($text, '9')|` +
    `json_value(($json)::jsonb, '$.a')|substring($text similar '%#"_#"%' escape '#')|xmlelement(name a, $text)::text`
  ).split('|'),
  int: (
    `length($text)|$int + 1|$int - $int|$int * 2|$int / 2|$int % 3|abs($int)|-$int|ascii($text)|strpos($text, '1')|position('-' in $text)|` +
    `coalesce($int, $int)|nullif($int, 7)|case when $bool then $int else 0 end|greatest($int, 3)|extract(year from $date)::int|$date - $date|` +
    `cardinality($array)|array_length($array, 1)|array_position($array, $text)|octet_length($text)|order_count($int)::int|hashtext($text)|($numeric)::int|` +
    `json_array_length('[1,2]')|find_by_ssn($text)|regexp_count($text, '1')|width_bucket($numeric, 0, 100, 5)|num_nulls($text, $int)`
  ).split('|'),
  numeric:
    `$int * 1.5|$int::numeric|round($numeric, 1)|$numeric + $numeric|$numeric * 0.5|$numeric / 3|coalesce($numeric, 0)|case when $bool then $numeric end|abs($numeric)|trunc($numeric)|sqrt(abs($numeric))|extract(month from $date)`.split(
      '|',
    ),
  date: `$date + 1|$date - 7|coalesce($date, $date)|($time)::date|case when $bool then $date end|date_trunc('month', $date)::date|make_date(2024, 1, 1)|($date + interval '1 month')::date|greatest($date, $date)`.split(
    '|',
  ),
  time: `date_trunc('day', $time)|$time + interval '1 day'|($date)::timestamptz|coalesce($time, $time)`.split('|'),
  bool: (
    `$text = $text|$text <> $text|$int = $int|$int < $int|$int between 1 and $int|$text like 'O%'|$text ~ '^9'|$text is null|$int is not null|` +
    `not ($bool)|($bool and $bool)|($bool or $bool)|$text in ('open', 'paid', $text)|$int = any(array[1, 2, 3])|$date > $date|$date = $date|` +
    `$text is distinct from $text|($json) ? 'a'|($json) @> '{"a": 1}'|$array @> array['a']|$text = any($array)|starts_with($text, '9')|` +
    `coalesce($bool, false)|($int, $text) = (1, 'x')|$numeric >= $numeric|($text) is json`
  ).split('|'),
  json: (
    `to_jsonb($text)|to_jsonb($int)|jsonb_build_object('k', $text, 'n', $int)|jsonb_build_array($text, $int)|to_jsonb($array)|$json|($json) -> 'a'|` +
    `($json) || jsonb_build_object('z', $text)|jsonb_set('{}', '{a}', to_jsonb($text))|to_jsonb(row($text, $int))|coalesce($json, '{}')|` +
    `json_object('k' : $text)::jsonb|json_array($text, $int)::jsonb|jsonb_path_query_first($json, '$.a')|to_jsonb($row)|($json) - 'ssn'|jsonb_strip_nulls($json)`
  ).split('|'),
  array:
    `array[$text, $text]|string_to_array($text, '-')|array_append($array, $text)|$array || $text|array_remove($array, 'a')|regexp_match($text, '(.)(.)')|array(select $text)`.split(
      '|',
    ),
};

const aggregates: Readonly<Record<Type, readonly string[]>> = {
  text: `max($text)|min($text)|string_agg($text, ',')|string_agg($text, ',' order by $int)|any_value($text)|array_agg($text)::text|json_agg($text)::text|mode() within group (order by $text)`.split(
    '|',
  ),
  int: `count(*)|count($text)|count(distinct $text)|sum($int)|max($int)|count(*) filter (where $bool)|bit_or($int)|count($row)`.split(
    '|',
  ),
  numeric:
    `avg($int)|sum($numeric)|stddev($numeric)|max($numeric)|percentile_cont(0.5) within group (order by $int)|corr($int, $int)`.split(
      '|',
    ),
  date: `max($date)|min($date)`.split('|'),
  time: `max($time)`.split('|'),
  bool: `bool_and($bool)|every($bool)|bool_or($bool)`.split('|'),
  json: `jsonb_agg($text)|jsonb_object_agg($int, $text)|jsonb_agg(to_jsonb($row))|json_arrayagg($text)::jsonb`.split(
    '|',
  ),
  array: `array_agg($text)|array_agg($text order by $int)`.split('|'),
};

const windows =
  `row_number() over ($w)|rank() over ($w)|lag($text) over ($w)|lead($int) over ($w)|first_value($text) over ($w)|sum($int) over ($w)|count(*) over ($w)|ntile(2) over ($w)|nth_value($text, 2) over ($w)|avg($numeric) over ($w)`.split(
    '|',
  );

const frames =
  ' rows between 1 preceding and current row| rows unbounded preceding exclude current row| range between unbounded preceding and unbounded following| groups between current row and 1 following exclude ties'.split(
    '|',
  );

const kinds: readonly Type[] = ['text', 'int', 'numeric', 'date', 'time', 'bool', 'json', 'array'];

class Draw {
  private readonly choices: readonly number[];
  private at = 0;
  private aliases = 0;
  private ctes: { name: string; columns: readonly Col[] }[] = [];
  private depth = 0;

  constructor(choices: readonly number[]) {
    this.choices = choices;
  }

  /** From 0 to below `limit`; 0 once the numbers have run out. */
  private below(limit: number): number {
    return (this.choices[this.at++] ?? 0) % limit;
  }

  /** True with this chance; false once the numbers have run out. */
  private chance(percent: number): boolean {
    return this.below(100) >= 100 - percent;
  }

  private pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)];
    if (picked === undefined) throw new RangeError('nothing to pick from');
    return picked;
  }

  private alias(): string {
    return `t${this.aliases++}`;
  }

  statement(): string {
    const kind = this.below(100);
    if (kind < 70) return this.select(3).sql;
    if (kind < 73)
      return `declare c scroll cursor for ${this.select(2).sql}; ${this.pick(['fetch all from c', 'fetch 2 from c', 'fetch last from c', 'fetch all from c; fetch backward 2 from c'])}`;
    if (kind < 76) return this.prepared();
    if (kind < 80) return `explain ${this.pick(['', '(verbose) ', '(costs off) '])}${this.select(2).sql}`;
    if (kind < 84)
      return `copy (${this.select(2).sql}) to stdout${this.pick(['', ' (format csv)', ' (format csv, header)'])}`;
    if (kind < 87) return `create temp table tmp_x as ${this.select(2).sql}`;
    return this.write();
  }

  /** A prepared statement with its run: its parameters stand where literals would. */
  private prepared(): string {
    const given: string[] = [];
    const body = this.select(2).sql.replace(/'Oslo'|'open'|\b42\b|\b100000\b/g, (literal) => {
      given.push(literal);
      return `$${given.length}`;
    });
    const types = given.map((literal) => (literal.startsWith("'") ? 'text' : 'int'));
    const list = (items: readonly string[]) => (items.length === 0 ? '' : `(${items.join(', ')})`);
    return `prepare p${list(types)} as ${body}; execute p${list(given)}`;
  }

  private write(): string {
    const name = this.pick(writable);
    const alias = this.alias();
    const own: Source = { alias, columns: tables[name] ?? [], row: true };
    const free = own.columns.filter((column) => column.type !== 'time' && column.name !== 'id');
    const target = this.pick(free.length === 0 ? own.columns : free);
    const fits = (sources: readonly Source[], type: Type) => this.expression(sources, type, 2);
    const where = (sources: readonly Source[]) => (this.chance(85) ? ` where ${this.condition(sources)}` : '');
    const returning = (sources: readonly Source[]) =>
      this.chance(75) ? ` returning ${this.targets(sources, 2).join(', ')}` : '';
    const before: Source = { ...own, alias: 'old' };
    switch (this.below(5)) {
      case 0: {
        const into = this.chance(50) ? columns('label:text payload:text number:int') : columns('label:text');
        const query = this.chance(60)
          ? this.selectOf(
              into.map(({ type }) => type),
              2,
            )
          : `values (${into.map(({ type }) => this.pick(literals[type])).join(', ')})`;
        const scratch: Source = { alias: 'scratch', columns: tables.scratch ?? [], row: true };
        return `insert into scratch (${into.map(({ name: column }) => column).join(', ')}) ${query}${returning([scratch])}`;
      }
      case 1: {
        const from = this.chance(50) ? this.source(1) : undefined;
        const sources = from === undefined ? [own] : [own, from.source];
        return `update ${name} ${alias} set ${target.name} = ${fits(sources, target.type)}${from === undefined ? '' : ` from ${from.sql}`}${where(sources)}${returning(this.chance(30) ? [...sources, before] : sources)}`;
      }
      case 2: {
        const using = this.chance(40) ? this.source(1) : undefined;
        const sources = using === undefined ? [own] : [own, using.source];
        return `delete from ${name} ${alias}${using === undefined ? '' : ` using ${using.sql}`}${where(sources)}${returning(sources)}`;
      }
      case 3: {
        const from = this.source(1);
        const sources = [own, from.source];
        const set = `update set ${target.name} = ${fits(sources, target.type)}`;
        const when = this.chance(30) ? ` and ${this.condition(sources)}` : '';
        return `merge into ${name} ${alias} using ${from.sql} on ${this.condition(sources)} when matched${when} then ${this.pick([set, 'delete', 'do nothing'])}${returning(sources)}`;
      }
      default: {
        const inner = `update ${name} ${alias} set ${target.name} = ${target.name}${where([own])} returning ${alias}.*`;
        return `with w as (${inner}) select ${this.targets([{ alias: 'w', columns: own.columns, row: true }], 2).join(', ')} from w`;
      }
    }
  }

  /** A query whose columns are of these types. */
  private selectOf(types: readonly Type[], depth: number): string {
    const from = this.from(depth);
    const list = types.map((type) => this.expression(from.sources, type, 2));
    return `select ${list.join(', ')} from ${from.sql}${this.chance(50) ? ` where ${this.condition(from.sources)}` : ''}`;
  }

  select(depth: number): { readonly sql: string; readonly columns: readonly Col[] } {
    const known = this.ctes.length;
    let prefix = '';
    if (depth > 1 && this.chance(22)) {
      const inner = this.select(depth - 1);
      const name = `c${this.aliases++}`;
      this.ctes.push({ name, columns: inner.columns });
      prefix = `with ${name} as ${this.pick(['', 'materialized ', 'not materialized '])}(${inner.sql}) `;
    }
    const made = this.body(depth);
    this.ctes.length = known;
    return { sql: prefix + made.sql, columns: made.columns };
  }

  private body(depth: number): { readonly sql: string; readonly columns: readonly Col[] } {
    if (depth > 1 && this.chance(12)) {
      const types = Array.from({ length: 1 + this.below(3) }, () => this.pick(kinds));
      const [one, other] = [this.selectOf(types, depth - 1), this.selectOf(types, depth - 1)];
      const named = types.map((type, at) => ({ name: `u${at}`, type }));
      const operator = this.pick(['union all', 'union all', 'union', 'intersect', 'except', 'except all']);
      return {
        sql: `select * from (${one} ${operator} ${other}) as ${this.alias()}(${named.map(({ name }) => name).join(', ')})`,
        columns: named,
      };
    }
    const from = this.from(depth);
    const { sources } = from;
    const where = this.chance(55) ? ` where ${this.condition(sources)}` : '';
    if (this.chance(22)) return this.grouped(from.sql, sources, where);
    const types = Array.from({ length: 1 + this.below(4) }, () => this.pick(kinds));
    const list = types.map((type, at) => ({ name: `x${at}`, type, sql: this.expression(sources, type, 3) }));
    const shown = list.map(({ name, sql }) => `${sql} as ${name}`);
    const found: Col[] = list.map(({ name, type }) => ({ name, type }));
    if (this.chance(12)) {
      shown.push(`${this.window(sources)} as w0`);
    }
    const star =
      depth === 3 && this.chance(15)
        ? [this.pick(['*', `${this.pick(sources).alias}.*`, this.pick(sources).alias])]
        : [];
    const distinct = this.chance(7) ? 'distinct ' : '';
    const order = this.chance(15) ? ` order by ${this.pick(['1', this.expression(sources, 'int', 1)])}` : '';
    const limit = this.chance(12) && order !== '' ? ` limit ${1 + this.below(3)}` : '';
    return {
      sql: `select ${distinct}${[...shown, ...star].join(', ')} from ${from.sql}${where}${distinct === '' ? order : ''}${distinct === '' ? limit : ''}`,
      columns: found,
    };
  }

  private grouped(from: string, sources: readonly Source[], where: string): { sql: string; columns: readonly Col[] } {
    const key = this.expression(sources, this.pick(['text', 'int', 'text', 'date']), 1, 8);
    const types = Array.from({ length: 1 + this.below(2) }, () => this.pick(kinds));
    const list = types.map((type, at) => `${this.fill(this.pick(aggregates[type]), sources, 2)} as a${at}`);
    const sets = this.pick([key, key, `rollup (${key})`, `grouping sets ((${key}), ())`, `cube (${key})`]);
    const having = this.chance(20)
      ? ` having ${this.pick(['count(*) > 1', `count(*) > ${this.below(3)}`, `bool_or(${this.condition(sources)})`])}`
      : '';
    const shown = this.chance(60) ? `${key} as k, ` : '';
    return {
      sql: `select ${shown}${list.join(', ')} from ${from}${where} group by ${sets}${having}`,
      columns: types.map((type, at) => ({ name: `a${at}`, type })),
    };
  }

  private window(sources: readonly Source[]): string {
    const partition = this.chance(50) ? `partition by ${this.expression(sources, 'text', 1, 8)} ` : '';
    const order = `order by ${this.expression(sources, 'int', 1, 8)}`;
    const frame = this.chance(40) ? this.pick(frames) : '';
    return this.fill(this.pick(windows), sources, 2).replace('$w', () => partition + order + frame);
  }

  private targets(sources: readonly Source[], depth: number): string[] {
    return Array.from({ length: 1 + this.below(3) }, () =>
      this.chance(20) ? `${this.pick(sources).alias}.*` : this.expression(sources, this.pick(kinds), depth),
    );
  }

  private from(depth: number): { readonly sql: string; readonly sources: readonly Source[] } {
    const first = this.source(depth);
    let { sql } = first;
    const sources = [first.source];
    for (let joins = this.below(3); joins > 0; joins--) {
      if (this.chance(20)) {
        const inner = this.lateral(sources, depth);
        sql += ` ${this.pick(['cross join', 'cross join', 'left join'])} lateral ${inner.sql}`.replace(
          /(left join lateral .*)$/,
          '$1 on true',
        );
        sources.push(inner.source);
        continue;
      }
      const next = this.source(depth);
      const kind = this.pick(['join', 'left join', 'cross join', 'full join', 'right join']);
      const both = [...sources, next.source];
      sql += ` ${kind} ${next.sql}${kind === 'cross join' ? '' : ` on ${kind === 'full join' ? this.plainEquality(both) : this.condition(both)}`}`;
      sources.push(next.source);
    }
    return { sql, sources };
  }

  private plainEquality(sources: readonly Source[]): string {
    const [one, other] = [sources[0], sources[sources.length - 1]];
    const type = this.pick<Type>(['int', 'text']);
    const of = (source: Source | undefined) =>
      source?.columns.filter((column) => column.type === type && column.masked !== true) ?? [];
    const [left, right] = [of(one)[0], of(other)[0]];
    return left === undefined || right === undefined
      ? 'true'
      : `${one?.alias}.${left.name} = ${other?.alias}.${right.name}`;
  }

  private lateral(sources: readonly Source[], depth: number): { readonly sql: string; readonly source: Source } {
    const alias = this.alias();
    const type = this.pick(kinds);
    if (this.chance(50) && depth > 0) {
      const inner = `select ${this.expression(sources, type, 2)} as l0`;
      return { sql: `(${inner}) ${alias}`, source: { alias, columns: [{ name: 'l0', type }], row: true } };
    }
    return {
      sql: `(values (${this.expression(sources, type, 2)})) ${alias}(l0)`,
      source: { alias, columns: [{ name: 'l0', type }], row: true },
    };
  }

  private source(depth: number): { readonly sql: string; readonly source: Source } {
    const alias = this.alias();
    const cte = this.ctes[this.ctes.length - 1];
    if (cte !== undefined && this.chance(45))
      return { sql: `${cte.name} ${alias}`, source: { alias, columns: cte.columns, row: true } };
    const kind = this.below(100);
    if (kind >= 88 && depth > 1) {
      const inner = this.select(depth - 1);
      return { sql: `(${inner.sql}) ${alias}`, source: { alias, columns: inner.columns, row: true } };
    }
    if (kind >= 84) {
      const made = this.pick([
        { sql: `generate_series(1, 3) ${alias}(n)`, columns: columns('n:int') },
        { sql: `full_customer(1) ${alias}`, columns: tables.customers ?? [] },
        { sql: `customer_table() ${alias}`, columns: columns('cid:int cssn:text!') },
        { sql: `all_ssns() ${alias}(v)`, columns: columns('v:text!') },
        { sql: `(values (1, 'Oslo'), (2, 'x')) ${alias}(n, v)`, columns: columns('n:int v:text') },
        { sql: `unnest(array['a', 'b']) with ordinality ${alias}(v, n)`, columns: columns('v:text n:int') },
      ]);
      return { sql: made.sql, source: { alias, columns: made.columns, row: false } };
    }
    const name = this.pick(names);
    return { sql: `${name} ${alias}`, source: { alias, columns: tables[name] ?? [], row: true } };
  }

  private condition(sources: readonly Source[]): string {
    // Joins by keys are what makes most queries run; the masked columns come in now and then.
    const kind = this.below(100);
    if (kind < 45) {
      const text = this.column(sources, 'int', 3) ?? '1';
      return `${text} = ${this.column(sources, 'int', 3) ?? '1'}`;
    }
    if (kind < 65) return `${this.column(sources, 'text', 12) ?? `'x'`} = ${this.pick(literals.text)}`;
    if (kind < 72 && this.depth === 0) {
      this.depth++;
      const inner = this.source(1);
      const made = `exists (select from ${inner.sql} where ${this.condition([...sources, inner.source])})`;
      this.depth--;
      return made;
    }
    return this.fill(this.pick(calls.bool), sources, 1, 8);
  }

  /** A column of the type, masked with this chance where there are such. */
  private column(sources: readonly Source[], type: Type, masked: number): string | undefined {
    const wanted = this.chance(masked);
    const all = sources.flatMap((source) => source.columns.map((column) => ({ source, column })));
    const typed = all.filter(({ column }) => column.type === type);
    const fitting = typed.filter(({ column }) => (column.masked === true) === wanted);
    const found = fitting.length > 0 ? this.pick(fitting) : wanted && typed.length > 0 ? this.pick(typed) : undefined;
    return found === undefined ? undefined : `${found.source.alias}.${found.column.name}`;
  }

  private expression(sources: readonly Source[], type: Type, depth: number, masked = 40): string {
    if (depth > 0 && this.chance(45)) return this.fill(this.pick(calls[type]), sources, depth, masked);
    if (depth > 1 && this.chance(6)) return `(${this.selectOf([type], 1)} limit 1)`;
    if (this.chance(8)) return this.pick(literals[type]);
    return this.column(sources, type, masked) ?? this.pick(literals[type]);
  }

  private fill(template: string, sources: readonly Source[], depth: number, masked = 40): string {
    return template.replace(/\$(text|int|numeric|date|time|bool|json|array|row)\b/g, (_, type: Type | 'row') => {
      if (type !== 'row') return this.expression(sources, type, depth - 1, masked);
      const rows = sources.filter((source) => source.row);
      return rows.length === 0 ? `row(1)` : this.pick(rows).alias;
    });
  }
}

/** The statement that a list of numbers stands for. */
export function statementOf(choices: readonly number[]): string {
  return new Draw(choices).statement();
}

export const statements: fc.Arbitrary<string> = fc
  .array(fc.nat(65_535), { minLength: 60, maxLength: 260, size: 'max' })
  .map(statementOf);
