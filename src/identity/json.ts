// JSON as tokens need it: an object that names a member twice is refused, because two readers could each see another one.

/** Parses JSON; undefined where it is not valid, nests deeper than 32, or an object repeats a name. */
export function parseStrictJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return repeatsName(text) ? undefined : value;
}

/** Walks text that is valid JSON already: only strings and brackets matter. */
function repeatsName(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  let expectsName = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '{':
        open.push(new Set());
        expectsName = true;
        break;
      case '[':
        open.push(undefined);
        expectsName = false;
        break;
      case '}':
      case ']':
        open.pop();
        expectsName = false;
        break;
      case ',':
        expectsName = open.at(-1) !== undefined;
        break;
      case ':':
        expectsName = false;
        break;
      case '"': {
        const start = at;
        at += 1;
        while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
        const names = open.at(-1);
        if (!expectsName || names === undefined) break;
        // "sub" and "s\u0075b" are the same name.
        const name = String(JSON.parse(text.slice(start, at + 1)));
        if (names.has(name)) return true;
        names.add(name);
        break;
      }
    }
    if (open.length > 32) return true;
  }
  return false;
}
