// What is proposed for a column from a sample of it.
import { expect, test } from 'vitest';
import { ColumnSample, type SampleKind } from '../../src/masking/index.ts';

function proposed(name: string, kind: SampleKind, ...values: readonly string[]) {
  const sample = new ColumnSample(name, kind);
  for (const value of values) sample.add(value);
  return sample.proposal();
}

test('a column of one kind of value gets the mask of that kind', () => {
  expect(proposed('a', 'text', 'jane@example.com', 'joe@example.org')?.spec).toEqual({ kind: 'email' });
  expect(proposed('a', 'text', '4111 1111 1111 1111', '5500-0000-0000-0004')?.spec).toEqual({
    kind: 'keep-last',
    count: 4,
  });
  expect(proposed('a', 'number', '4111111111111111', '5500000000000004')?.spec).toEqual({
    kind: 'keep-last',
    count: 4,
  });
});

test('free text in which something stands now and then is redacted', () => {
  const proposal = proposed('body', 'text', 'hello', 'call +44 20 7946 0958', 'or jane@example.com', 'bye');
  expect(proposal).toMatchObject({ spec: { kind: 'redact' }, by: 'content', sampled: 4 });
  expect(proposal?.found).toHaveLength(2);
});

test('long numbers of which some pass for cards are no cards', () => {
  expect(proposed('order_no', 'number', '4111111111111111', '4111111111111112', '4111111111111113')).toBeUndefined();
});

test('documents are masked at the paths where something stands', () => {
  const documents = [
    {
      contact: { mail: 'jane@example.com', city: 'Oslo' },
      cards: [{ no: '4111111111111111' }],
      'odd name': 'joe@example.com',
    },
    { contact: { city: 'Bergen' } },
  ];
  expect(proposed('doc', 'json', ...documents.map((document) => JSON.stringify(document)))?.spec).toEqual({
    kind: 'paths',
    paths: ['$.cards[*].no', '$.contact.mail', '$["odd name"]'],
    inner: { kind: 'redact' },
  });
  expect(proposed('doc', 'json', '{"a": {"mail": "jane@example.com"}}')?.spec).toEqual({
    kind: 'paths',
    paths: ['$.a.mail'],
    inner: { kind: 'email' },
  });
  // A bare value, and a document that was cut.
  expect(proposed('doc', 'json', '"jane@example.com"')?.spec).toEqual({ kind: 'redact' });
  expect(proposed('doc', 'json', '{"mail": "jane@example.com", "rest": "')?.spec).toEqual({ kind: 'redact' });
});

test('where values tell nothing the name may', () => {
  expect(proposed('password_hash', 'text', 'x')).toMatchObject({ spec: { kind: 'redact' }, by: 'name' });
  expect(proposed('birthDate', 'date')).toMatchObject({ spec: { kind: 'year' }, by: 'name' });
  expect(proposed('LAST NAME', 'text')).toMatchObject({ spec: { kind: 'fake', of: 'name' } });
  for (const name of ['name', 'shipping', 'passenger', 'celly', 'addressed', 'id', 'tokens_used']) {
    expect(proposed(name, 'text', 'x'), name).toBeUndefined();
  }
  expect(proposed('phone', 'date')).toBeUndefined();
});

test('thousands of paths are counted together', () => {
  const document = Object.fromEntries(
    Array.from({ length: 2000 }, (_value, index) => [`k${index}`, 'jane@example.com']),
  );
  expect(proposed('doc', 'json', JSON.stringify(document))?.spec).toEqual({ kind: 'redact' });
});
