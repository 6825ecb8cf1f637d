// The template tag: nothing passes unescaped but markup made by the tag itself.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { html, joined, oneLine, preformatted, whole } from '../../src/console/html.ts';
import { sql } from '../../src/console/sql.ts';

describe('html', () => {
  test('escapes texts in elements and in attributes', () => {
    const text = `<script>alert("1") & 'more'</script>`;
    expect(html`<a title="${text}">${text}</a>`.toString()).toBe(
      '<a title="&lt;script&gt;alert(&quot;1&quot;) &amp; &#39;more&#39;&lt;/script&gt;">&lt;script&gt;alert(&quot;1&quot;) &amp; &#39;more&#39;&lt;/script&gt;</a>',
    );
  });

  test('takes markup of its own as it is, lists in their order, and nothing for false, null and undefined', () => {
    const items = [html`<li>${'<a>'}</li>`, false, null, undefined, ['x', 1]] as const;
    expect(html`<ul>${items}</ul>`.toString()).toBe('<ul><li>&lt;a&gt;</li>x1</ul>');
    expect(joined(['<', html`<b>`], html`<br>`).toString()).toBe('&lt;<br><b>');
  });

  test('shows characters that reorder, hide or end a line as escapes', () => {
    expect(html`${'a\u202eb\u0000\u001b[31m\u200b\ud800'}`.toString()).toBe(
      'a\\u{202e}b\\x00\\x1b[31m\\u{200b}\\u{d800}',
    );
    expect(preformatted('a\tb\nc\u202e').toString()).toBe('a\tb\nc<span class="escape">\\u{202e}</span>');
  });

  test('leaves no way out of a text or an attribute, whatever the text is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        for (const markup of [
          html`${text}`,
          preformatted(text),
          oneLine(text),
          sql(text, 'line'),
          sql(text, 'block'),
        ]) {
          const bare = markup
            .toString()
            .replaceAll(/<span class="(escape|s-word|s-string|s-number|s-comment)">|<\/span>/g, '');
          expect(bare).not.toMatch(/[<>"']/);
          expect(bare).not.toMatch(/&(?!(amp|lt|gt|quot|#39);)/);
          expect(bare).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}]/u);
        }
      }),
    );
  });
});

describe('long texts', () => {
  test('are cut without half a character, and the rest is never looked at', () => {
    expect(whole('ab😀', 3)).toBe('ab');
    expect(oneLine(`${'x'.repeat(300)}y`).toString()).toBe(`${'x'.repeat(240)}…`);
    const began = performance.now();
    expect(sql('select 1 '.repeat(2_000_000), 'line').toString().length).toBeLessThan(6000);
    expect(performance.now() - began).toBeLessThan(200);
  });

  test('are coloured in time that grows with their length only', () => {
    for (const text of [
      `'${"\\'".repeat(9000)}`,
      '$a$'.repeat(6000),
      '/*'.repeat(9000),
      '$'.repeat(19_000),
      '-- '.repeat(6000),
    ]) {
      const began = performance.now();
      sql(text, 'block');
      expect(performance.now() - began).toBeLessThan(500);
    }
  });
});

test('SQL keeps every character it shows', () => {
  const text = `select "Name", 'it''s', 12.5, $1 -- why\nfrom public.t /* c */ where a <> $tag$ x $tag$`;
  const shown = sql(text, 'block')
    .toString()
    .replaceAll(/<[^>]*>/g, '');
  expect(shown.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&#39;', "'").replaceAll('&quot;', '"')).toBe(
    text,
  );
});
