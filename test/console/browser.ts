// A browser of a few lines for tests of logins and forms: cookies, redirects, and nothing that a page's script would do.

export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Keeps the cookies of each host; follows redirects as browsers do (303 and a redirected POST become GET). */
export class Visitor {
  readonly #jar = new Map<string, Map<string, string>>();

  cookie(url: string, name: string): string | undefined {
    return this.#jar.get(new URL(url).host)?.get(name);
  }

  /** One request without following. */
  async once(url: string, init: RequestInit = {}): Promise<Response> {
    const { host, origin } = new URL(url);
    const jar = this.#jar.get(host) ?? new Map<string, string>();
    this.#jar.set(host, jar);
    const headers = new Headers(init.headers);
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    if (init.method === 'POST' && !headers.has('origin')) headers.set('origin', origin);
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const gone = attributes.some((each) => /^\s*max-age=0\s*$/i.test(each)) || /expires=thu, 01 jan 1970/i.test(line);
      if (gone) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return response;
  }

  async visit(url: string, init: RequestInit = {}): Promise<Visit> {
    let at = url;
    let asked = init;
    for (let hops = 0; hops < 20; hops++) {
      const response = await this.once(at, asked);
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) {
        return { url: at, status: response.status, headers: response.headers, text: await response.text() };
      }
      await response.body?.cancel();
      at = new URL(location, at).href;
      asked = {};
    }
    throw new Error(`too many redirects from ${url}`);
  }

  post(url: string, fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) {
    return this.visit(url, { method: 'POST', body: new URLSearchParams(fields), headers });
  }

  /** Sends the page's first form with its hidden fields and these. */
  submit(page: Visit, fields: Readonly<Record<string, string>> = {}) {
    const form = /<form[^>]*?action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(page.text);
    if (form === null) throw new Error(`no form on ${page.url}: ${page.text.slice(0, 300)}`);
    const hidden: Record<string, string> = {};
    for (const [tag] of (form[2] ?? '').matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
      hidden[/name="([^"]*)"/.exec(tag)?.[1] ?? ''] = /value="([^"]*)"/.exec(tag)?.[1] ?? '';
    }
    return this.post(new URL(form[1] ?? '', page.url).href, { ...hidden, ...fields });
  }
}

/** The token every form of a page carries. */
export function csrfOf({ text }: Pick<Visit, 'text'>): string {
  return /data-csrf="([^"]+)"/.exec(text)?.[1] ?? '';
}
