// Errors as answers: a drawn page for people, JSON for programs.
import { inertJson } from '../audit/index.ts';
import type { Assets } from './assets.ts';
import { html } from './html.ts';
import { plainPage } from './views/layout.ts';

/** Programs ask below /api and get JSON. */
export function isApi(path: string): boolean {
  return path === '/api' || path.startsWith('/api/');
}

export function json(
  status: number,
  code: string,
  message: string,
  more: Readonly<Record<string, string>> = {},
): Response {
  const body = inertJson({ error: { code, message } });
  return new Response(body, { status, headers: { 'Content-Type': 'application/json; charset=utf-8', ...more } });
}

const codes: Readonly<Record<number, string>> = {
  400: 'bad-request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  413: 'too-long',
  500: 'failed',
  503: 'unavailable',
};

/** An error as a page, or as JSON where a program asked. */
export function refusal(assets: Assets, path: string, status: number, message: string): Response {
  if (isApi(path)) return json(status, codes[status] ?? 'failed', message);
  const title = status === 404 ? 'Not here' : status === 500 ? 'That failed' : 'Refused';
  const page = plainPage(assets.path, title, html`<p>${message}</p><p><a href="/">To the overview</a></p>`);
  return new Response(page.toString(), { status, headers: { 'Content-Type': 'text/html; charset=utf-8' } });
}
