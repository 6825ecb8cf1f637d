// COPY in both directions through the relay, and masks in the data of COPY TO in its three formats.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { CopyFormat, FieldMask } from '../../../protocols/gate.ts';
import { copyMasker } from '../../../protocols/postgres/copy.ts';
import { postgresServer } from '../../support/postgres.ts';
import {
  errorOf,
  type Gateway,
  letters,
  nothing,
  RawClient,
  type RawMessage,
  refusal,
  rowsOf,
  type Script,
  say,
  stars,
  startGateway,
  statusOf,
  word,
} from './support.ts';

const server = postgresServer();
const gateways: Gateway[] = [];
afterAll(async () => {
  for (const gateway of gateways) await gateway.stop();
});

async function open(script: Script = {}): Promise<{ gateway: Gateway; client: RawClient }> {
  const gateway = await startGateway(server(), script);
  gateways.push(gateway);
  return { gateway, client: await RawClient.open(gateway.port) };
}

const dataOf = (messages: readonly RawMessage[]) => messages.filter(({ type }) => type === 'd').map(({ body }) => body);
const textOf = (messages: readonly RawMessage[]) => Buffer.concat(dataOf(messages)).toString();

describe('COPY FROM STDIN', () => {
  test('works in a simple query, sent ahead or after the response, and fails as the client says', async () => {
    const { client, gateway } = await open();
    await client.ask(say.query('create temporary table t (a int, b text)'));
    client.messages.length = 0;
    client.send(say.query('copy t from stdin'), say.copyData('1\tone\n2\t'), say.copyData('two\n'), say.copyDone);
    expect(letters(await client.take())).toBe('GCZ');
    client.send(say.query('copy t from stdin'));
    await client.until((received) => received.length > 0);
    client.send(say.copyData('3\tthree\n'), say.copyFail('changed my mind'));
    const failed = await client.take();
    expect(letters(failed)).toBe('GEZ');
    expect(errorOf(failed)).toMatchObject({ C: '57014' });
    client.send(say.query('copy t from stdin'), say.copyData('nonsense\n'), say.copyData('4\tx\n'), say.copyDone);
    expect(letters(await client.take())).toBe('GEZ');
    expect(rowsOf(await client.ask(say.query('select * from t order by a')))).toEqual([
      ['1', 'one'],
      ['2', 'two'],
    ]);
    expect(gateway.settled.map(({ outcome }) => outcome.kind)).toEqual([
      'completed',
      'completed',
      'failed',
      'failed',
      'completed',
    ]);
    await client.close();
  });

  test('in the extended protocol swallows the Sync sent ahead of the data', async () => {
    const { client } = await open();
    await client.ask(say.query('create temporary table t (a int, b text)'));
    client.messages.length = 0;
    // As libpq does it: the Sync comes with the Execute and is ignored by the server, another one ends the copy.
    client.send(say.parse('', 'copy t from stdin'), say.bind('', ''), say.execute(''), say.sync);
    await client.until((received) => received.some(({ type }) => type === 'G'));
    client.send(say.copyData('1\tone\n'), say.copyDone, say.sync);
    expect(letters(await client.take())).toBe('12GCZ');
    client.send(
      say.parse('', 'copy t from stdin'),
      say.bind('', ''),
      say.execute(''),
      say.sync,
      say.copyData('2\ttwo\n'),
      say.copyDone,
      say.sync,
      say.query('select count(*) from t'),
    );
    const ahead = await client.take(2);
    expect(letters(ahead)).toBe('12GCZTDCZ');
    expect(rowsOf(ahead)).toEqual([['2']]);
    await client.close();
  });

  test('ends the session at a message that has no place in it, as the server does', async () => {
    for (const together of [true, false]) {
      const { client } = await open();
      await client.ask(say.query('create temporary table t (a int)'));
      client.messages.length = 0;
      if (together) client.send(say.query('copy t from stdin'), say.query('select 1'));
      else {
        client.send(say.query('copy t from stdin'));
        await client.until((received) => received.length > 0);
        client.send(say.query('select 1'));
      }
      await client.until(() => client.closed);
      expect(errorOf(client.messages)).toMatchObject({
        C: '08P01',
        M: 'unexpected message type 0x51 during COPY from stdin',
      });
    }
  });

  test('of a statement with a row limit of ours works too', async () => {
    const { client } = await open({ plan: { maxRows: 10 } });
    await client.ask(say.query('create temporary table t (a int)'));
    client.messages.length = 0;
    client.send(say.query('copy t from stdin'), say.copyData('1\n'), say.copyDone, say.query('select count(*) from t'));
    const answer = await client.take(2);
    expect(letters(answer)).toBe('GCZTDCZ');
    client.send(
      say.parse('', 'copy t from stdin'),
      say.bind('', ''),
      say.execute(''),
      say.sync,
      say.copyData('2\n'),
      say.copyDone,
      say.sync,
    );
    expect(letters(await client.take())).toBe('12GCZ');
    await client.close();
  });
});

describe('COPY TO STDOUT', () => {
  const rows = String.raw`select * from (values (1, 'a,b', 'x'), (2, E'tab\there \\ "quoted"', null), (3, '', E'line\nbreak')) v(id, secret, rest)`;
  const masked = (mask: FieldMask, format: CopyFormat): Script => ({
    shapeCopy: (columns, binary) => {
      expect(columns).toBe(3);
      expect(binary).toBe(format.kind === 'binary');
      return { kind: 'copy', masks: [undefined, mask, undefined], format };
    },
  });

  test('in text', async () => {
    const format: CopyFormat = { kind: 'text', delimiter: 9, nullText: '\\N', header: false };
    const { client } = await open(masked(stars, format));
    const answer = await client.ask(say.query(`copy (${rows}) to stdout`));
    expect(textOf(answer)).toBe(`1\t***\tx\n2\t${'*'.repeat(19)}\t\\N\n3\t\tline\\nbreak\n`);
    expect(dataOf(answer)).toHaveLength(3);
    await client.close();
    const other = await open(masked(word('a\tb\\'), { ...format, delimiter: 0x7c, nullText: 'NULL', header: true }));
    expect(
      textOf(await other.client.ask(say.query(`copy (${rows}) to stdout (delimiter '|', null 'NULL', header)`))),
    ).toBe('id|secret|rest\n1|a\\tb\\\\|x\n2|a\\tb\\\\|NULL\n3|a\\tb\\\\|line\\nbreak\n');
    await other.client.close();
  });

  test('in csv', async () => {
    const format: CopyFormat = { kind: 'csv', delimiter: 0x2c, quote: 0x22, escape: 0x22, nullText: '', header: true };
    const { client } = await open(masked(word('he said "no"'), format));
    expect(textOf(await client.ask(say.query(`copy (${rows}) to stdout (format csv, header)`)))).toBe(
      'id,secret,rest\n1,"he said ""no""",x\n2,"he said ""no""",\n3,"he said ""no""","line\nbreak"\n',
    );
    await client.close();
    const other: CopyFormat = { kind: 'csv', delimiter: 0x3b, quote: 0x27, escape: 0x5c, nullText: 'n', header: false };
    const odd = await open(masked(nothing, other));
    expect(
      textOf(
        await odd.client.ask(
          say.query(`copy (${rows}) to stdout (format csv, delimiter ';', quote '''', escape '\\', null 'n')`),
        ),
      ),
    ).toBe("1;n;x\n2;n;n\n3;n;'line\nbreak'\n");
    await odd.client.close();
  });

  test('in binary', async () => {
    const { client } = await open(masked(word('hidden'), { kind: 'binary' }));
    const answer = await client.ask(
      say.parse('', `copy (${rows}) to stdout (format binary)`),
      say.bind('', ''),
      say.execute(''),
      say.sync,
    );
    expect(letters(answer)).toBe('12HddddcCZ');
    const bytes = Buffer.concat(dataOf(answer));
    expect(bytes.toString('latin1').match(/hidden/g)).toHaveLength(3);
    expect(bytes.includes('quoted')).toBe(false);
    // What we made is read by the server again.
    const { client: writer } = await open();
    await writer.ask(say.query('create temporary table t (id int, secret text, rest text)'));
    writer.messages.length = 0;
    writer.send(say.query('copy t from stdin (format binary)'), say.copyData(bytes), say.copyDone);
    await writer.take();
    expect(rowsOf(await writer.ask(say.query('select * from t')))).toEqual([
      ['1', 'hidden', 'x'],
      ['2', 'hidden', null],
      ['3', 'hidden', 'line\nbreak'],
    ]);
    await Promise.all([client.close(), writer.close()]);
  });

  test('that is refused, or does not match its format, is an error and nothing of it leaves', async () => {
    const { client } = await open({ shapeCopy: () => ({ kind: 'refused', refusal: refusal('no copies') }) });
    await client.ask(say.query('begin'));
    const refused = await client.ask(say.query(`copy (${rows}) to stdout`));
    expect(letters(refused)).toBe('EZ');
    expect(errorOf(refused)).toMatchObject({ C: '42501' });
    expect(statusOf(refused)).toBe('E');
    await client.close();
    const wrong = await open({
      shapeCopy: () => ({
        kind: 'copy',
        masks: [stars],
        format: { kind: 'text', delimiter: 9, nullText: '\\N', header: false },
      }),
    });
    const broken = await wrong.client.ask(say.query(`copy (${rows}) to stdout`));
    expect(dataOf(broken)).toEqual([]);
    expect(errorOf(broken)).toMatchObject({ C: 'XX000' });
    expect(rowsOf(await wrong.client.ask(say.query('select 1')))).toEqual([['1']]);
    await wrong.client.close();
  });
});

describe('the data of a copy', () => {
  const cells = fc.array(fc.tuple(fc.integer(), fc.option(fc.string({ unit: 'grapheme' })), fc.string()), {
    maxLength: 20,
  });
  const cuts = fc.array(fc.nat(200), { maxLength: 20 });

  /** Cuts bytes into pieces of the given sizes. */
  function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
    const parts: Buffer[] = [];
    let at = 0;
    for (const size of sizes) {
      parts.push(Buffer.from(bytes.subarray(at, at + size)));
      at += size;
    }
    return [...parts, Buffer.from(bytes.subarray(at))];
  }

  function through(format: CopyFormat, mask: FieldMask, bytes: Buffer, sizes: readonly number[]): string {
    const masker = copyMasker([undefined, mask, undefined], format, 1 << 20);
    const messages = [...pieces(bytes, sizes).map((piece) => masker.data(piece)), masker.end()];
    const all = Buffer.concat(messages.map((made) => made ?? Buffer.from('failed')));
    const payloads: Buffer[] = [];
    for (let at = 0; at < all.length; at += all.readInt32BE(at + 1) + 1) {
      expect(all[at]).toBe(0x64);
      payloads.push(all.subarray(at + 5, at + 1 + all.readInt32BE(at + 1)));
    }
    return Buffer.concat(payloads).toString();
  }

  const escaped = (value: string) =>
    value.replace(
      /[\\\t\n\r\b\f\v]/g,
      (c) => `\\${{ '\\': '\\', '\t': 't', '\n': 'n', '\r': 'r', '\b': 'b', '\f': 'f', '\v': 'v' }[c]}`,
    );
  const quote = (value: string) => (/[",\n\r]|^$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  /** A mask that gives the value back, by another way than leaving it alone. */
  const same: FieldMask = {
    inPlace: () => false,
    bound: (length) => length,
    write: (from, start, end, to, at) => at + from.copy(to, at, start, end),
  };

  test('comes out the same in any cutting when its masks change nothing', () => {
    fc.assert(
      fc.property(cells, cuts, (rows, sizes) => {
        const text = rows.map(([a, b, c]) => `${a}\t${b === null ? '\\N' : escaped(b)}\t${escaped(c)}\n`).join('');
        expect(
          through({ kind: 'text', delimiter: 9, nullText: '\\N', header: false }, same, Buffer.from(text), sizes),
        ).toBe(text);
        const csv = rows.map(([a, b, c]) => `${a},${b === null ? '' : quote(b)},${quote(c)}\n`).join('');
        const format: CopyFormat = {
          kind: 'csv',
          delimiter: 0x2c,
          quote: 0x22,
          escape: 0x22,
          nullText: '',
          header: false,
        };
        expect(through(format, same, Buffer.from(csv), sizes)).toBe(csv);
      }),
    );
  });

  test('holds no masked value in any cutting', () => {
    fc.assert(
      fc.property(cells, cuts, (rows, sizes) => {
        const text = rows.map(([a, b, c]) => `${a}\t${b === null ? '\\N' : escaped(b)}\t${escaped(c)}\n`).join('');
        const expected = rows.map(([a, b, c]) => `${a}\t${b === null ? '\\N' : 'm\\\\m'}\t${escaped(c)}\n`).join('');
        expect(
          through(
            { kind: 'text', delimiter: 9, nullText: '\\N', header: false },
            word('m\\m'),
            Buffer.from(text),
            sizes,
          ),
        ).toBe(expected);
      }),
    );
  });
});
