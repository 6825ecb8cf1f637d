// JSON answers of the API.
import { inertJson } from '../audit/index.ts';

/** JSON in which no character moves, hides or reorders text: what a program reads is the same, and a terminal shows it as it is. */
export function json(value: unknown, status = 200): Response {
  return new Response(inertJson(value), { status, headers: { 'Content-Type': 'application/json; charset=utf-8' } });
}
