// The page in a real browser: login, search, live view, approve, kill, keys, themes, a phone, and hostile content that never runs.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../src/store/embedded.ts';
import { chromium, openBrowser } from './chromium.ts';
import { consoleHouse, holdingPolicy, patient, people } from './support.ts';

describe.runIf(chromium !== undefined)('the page in Chromium', { timeout: 180_000 }, () => {
  let provider: ChildProcess;
  const house = consoleHouse(async () => {
    const port = await freePort();
    provider = fork(new URL('./provider.js', import.meta.url), [`http://127.0.0.1:${port}/login/callback`], {
      execArgv: [],
      stdio: 'ignore',
    });
    const [issuer] = (await once(provider, 'message')) as [string];
    return {
      port,
      policy: holdingPolicy,
      issuers: `    - issuer: ${issuer}`,
      people: `${people}  client-id: sallyport-console\n  issuer: ${issuer}\n`,
    };
  });
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** What the browser complained about: a refused script, a failed request, an exception. */
  let complaints: string[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    provider.kill();
    await browser?.close();
  });
  beforeEach(async () => {
    complaints = [];
    context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(30_000);
    page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      // The provider's own pages are not ours to judge.
      const ours = message.location().url.startsWith(house().url);
      if (ours && (message.type() === 'error' || message.type() === 'warning')) complaints.push(message.text());
    });
    page.on('dialog', (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
  });
  afterEach(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });

  const comeIn = async () => {
    await page.goto((await house().gateway.console?.link()) ?? '');
    await page.waitForURL(`${house().url}/`);
  };
  const row = (text: string) => page.locator('tr[data-record]', { hasText: text });

  test('a one-time link lets somebody in by itself, and logging out ends that', async () => {
    await comeIn();
    expect(await page.locator('h1').textContent()).toBe('Overview');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${house().url}/login`);
    await page.goto(`${house().url}/sessions`);
    expect(new URL(page.url()).pathname).toBe('/login');
  });

  test('an approver logs in through the provider and comes to the page that was asked for', async () => {
    await page.goto(`${house().url}/approvals`);
    await page.getByRole('link', { name: 'Log in' }).click();
    await page.fill('input[name=login]', 'dana');
    await page.fill('input[name=password]', 'any');
    await page.getByRole('button').first().click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(`${house().url}/approvals`);
    expect(await page.locator('.who .name').textContent()).toBe('dana');
    expect(await page.locator('.who .role').textContent()).toBe('approver');
  });

  test('a search finds, its URL is the search, and a record opens by the keyboard', async () => {
    await house().run(
      ['select id, right(ssn, 4) as tail from customers where id = 12', 'drop table orders'],
      ['crew-agent'],
    );
    await comeIn();
    await page.goto(`${house().url}/search`);
    await page.keyboard.press('/');
    await page.keyboard.type('RIGHT(SSN');
    await page.keyboard.press('Enter');
    await page.waitForURL(/text=/);
    expect(page.url()).toBe(`${house().url}/search?text=RIGHT%28SSN`);
    await expect
      .poll(async () => {
        await page.reload();
        return row('right').count();
      }, patient)
      .toBe(1);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/records\//);
    const main = page.locator('main');
    await expect.poll(() => main.textContent(), patient).toContain('public.customers.ssn');
    expect(await main.textContent()).toContain('completed');
    await page.goto(`${house().url}/search?verdict=deny&rule=no-drops`);
    await expect.poll(() => row('drop').count(), patient).toBeGreaterThan(0);
    await page.locator('.chips a', { hasText: '×' }).first().click();
    expect(page.url()).toBe(`${house().url}/search?rule=no-drops`);
  });

  test('the live view shows statements as they happen, completes them, pauses and filters', async () => {
    await comeIn();
    await page.goto(`${house().url}/live?identity=crew-live-*`);
    await expect.poll(() => page.locator('#state').textContent(), patient).toBe('live');
    const client = await house().agent(['crew-support'], 'crew-live-1');
    const slow = client.query('select pg_sleep(1.2)');
    await row('pg_sleep').waitFor();
    expect(await row('pg_sleep').locator('.running').count()).toBe(1);
    await slow;
    await expect
      .poll(() => row('pg_sleep').locator('.num').last().textContent(), patient)
      .toMatch(/1.\d\d ms|1\.\d s|1\d{3} ms/);
    await page.keyboard.press('p');
    expect(await page.locator('#pause').textContent()).toBe('Resume');
    await client.query('select 7 as while_paused');
    await expect.poll(() => page.locator('#state').textContent(), patient).toContain('1 waiting');
    expect(await row('while_paused').count()).toBe(0);
    await page.locator('#pause').click();
    await row('while_paused').waitFor();
    await house().run(['select 8 as of_another'], ['crew-support'], 'crew-other');
    await client.query('select 9 as last_one');
    await row('last_one').waitFor();
    expect(await row('of_another').count()).toBe(0);
    await client.end();
  });

  test('a held statement appears by itself, is approved with a reason, and runs', async () => {
    await comeIn();
    await page.goto(`${house().url}/approvals`);
    const client = await house().agent(['crew-agent'], 'crew-agent-5');
    const run = client.query('update orders set total = total + 1');
    const card = page.locator('article', { hasText: 'crew-agent-5' });
    await card.waitFor();
    expect(await card.textContent()).toMatch(/ends in\s+[12]:\d\d/);
    expect(await page.locator('.side .count').textContent()).toBe('1');
    await card.locator('input[name=reason]').fill('checked with finance');
    await card.getByRole('button', { name: 'Approve' }).click();
    await page.locator('.done', { hasText: 'Approved.' }).waitFor();
    expect((await run).rowCount).toBe(1000);
    await page.goto(`${house().url}/approvals?past=1`);
    expect(await page.locator('article').first().textContent()).toContain('checked with finance');
    await client.end();
  });

  test('the list is not drawn anew under the hands of somebody who types', async () => {
    await comeIn();
    await page.goto(`${house().url}/approvals`);
    const first = await house().agent(['crew-agent'], 'crew-first');
    const second = await house().agent(['crew-agent'], 'crew-second');
    const one = first.query('delete from orders where id > 0 or true').catch((error: Error) => error.message);
    const card = page.locator('article', { hasText: 'crew-first' });
    await card.locator('input[name=reason]').fill('because');
    const two = second.query('delete from orders where id < 0 or true').catch((error: Error) => error.message);
    await page.getByText('The list has changed').waitFor();
    expect(await card.locator('input[name=reason]').inputValue()).toBe('because');
    await card.getByRole('button', { name: 'Deny' }).click();
    const other = page.locator('article', { hasText: 'crew-second' });
    await other.getByRole('button', { name: 'Deny' }).click();
    await page.getByText('No statement waits').waitFor();
    expect(await one).toContain('because');
    await two;
    await first.end();
    await second.end();
  });

  test('an admin kills a session after saying so twice', async () => {
    const client = await house().agent(['crew-support'], 'crew-doomed');
    await client.query('select 1');
    const ended = new Promise<string>((resolve) => client.once('error', (error) => resolve(error.message)));
    await comeIn();
    await page.goto(`${house().url}/sessions`);
    await page.locator('tr', { hasText: 'crew-doomed' }).getByRole('link', { name: 'Kill' }).click();
    await page.locator('input[name=reason]').fill('runs wild');
    await page.getByRole('button', { name: 'Kill it' }).click();
    await page.locator('.done', { hasText: 'The session was killed.' }).waitFor();
    expect(await ended).toContain('the session ends');
    await expect
      .poll(async () => {
        await page.reload();
        return page.locator('tr', { hasText: 'crew-doomed' }).count();
      }, patient)
      .toBe(0);
  });

  test('hostile statements and names run nothing, in the live view and in their pages', async () => {
    await comeIn();
    await page.goto(`${house().url}/live`);
    await expect.poll(() => page.locator('#state').textContent(), patient).toBe('live');
    const attack = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    await house().run(
      [`select '${attack.replaceAll("'", "''")}' as "\u202e<b>"`],
      ['crew-support'],
      `crew ${attack.slice(0, 40)}`,
    );
    const shown = row('onerror').filter({ hasText: 'select' });
    await shown.first().waitFor();
    expect(await page.title()).toBe('Live · Sallyport');
    expect(await shown.first().locator('img, script, b').count()).toBe(0);
    await shown.first().locator('a.row').click();
    await page.waitForURL(/records/);
    await expect
      .poll(async () => {
        await page.reload();
        return page.locator('.escape').count();
      }, patient)
      .toBeGreaterThan(0);
    expect(await page.title()).toBe('Statement · Sallyport');
    // A record that is being copied to the store is not there for a moment.
    complaints = complaints.filter((text) => !text.includes('404'));
  });

  test('every view fits a phone, and dark and light are kept', async () => {
    await comeIn();
    await page.setViewportSize({ width: 375, height: 700 });
    for (const path of ['/', '/live', '/search', '/approvals', '/sessions', '/identities', '/rules', '/columns']) {
      await page.goto(house().url + path);
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect(width, path).toBeLessThanOrEqual(375);
    }
    const ground = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    await page.getByRole('button', { name: 'Auto' }).click();
    await page.getByRole('button', { name: 'Dark' }).waitFor();
    expect(await ground()).toBe('rgb(16, 20, 23)');
    await page.getByRole('button', { name: 'Dark' }).click();
    await page.getByRole('button', { name: 'Light' }).waitFor();
    expect(await ground()).toBe('rgb(246, 247, 247)');
  });

  test('the keyboard goes everywhere: skip link, views, help', async () => {
    await comeIn();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.keyboard.press('g');
    await page.keyboard.press('s');
    await page.waitForURL(`${house().url}/search`);
    await page.keyboard.press('?');
    expect(await page.locator('#help').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    expect(await page.locator('#help').isVisible()).toBe(false);
  });

  test('without scripts the page still searches, shows and decides', async () => {
    await context.close();
    context = await browser.newContext({ javaScriptEnabled: false });
    page = await context.newPage();
    await page.goto((await house().gateway.console?.link()) ?? '');
    await page.getByRole('button', { name: 'Open the console' }).click();
    await page.getByRole('link', { name: 'Search' }).click();
    await page.fill('input[name=text]', 'select');
    await page.getByRole('button', { name: 'Search' }).click();
    expect(await page.locator('tr[data-record]').count()).toBeGreaterThan(0);
    await page.locator('a.row').first().click();
    expect(await page.locator('h1').textContent()).toMatch(/Statement|Event/);
    await page.getByRole('link', { name: 'Live' }).click();
    expect(await page.locator('noscript, .empty').first().textContent()).toContain('needs JavaScript');
  });
});
