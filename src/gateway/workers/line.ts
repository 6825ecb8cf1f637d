// Questions and answers between the primary and a worker, over the channel that Node gives the two.
import type { Addresses } from './part.ts';

/** What one asks the other. Secrets go as base64. */
export type Question =
  // The worker asks:
  | { readonly kind: 'ready'; readonly addresses: Addresses }
  // Either asks; the primary hands it on to the other workers:
  | { readonly kind: 'cancel'; readonly processId: number; readonly secret: string }
  | { readonly kind: 'kill'; readonly threadId: number; readonly owner: string }
  // The primary asks:
  | { readonly kind: 'numbers' | 'readiness' | 'reload' }
  | { readonly kind: 'drain'; readonly graceMs: number };

type Message =
  | { readonly ask: number; readonly question: Question }
  | { readonly answer: number; readonly value?: unknown; readonly failed?: string };

/** A child process, or in a child `process` itself. */
export interface Channel {
  readonly connected: boolean;
  send?(message: Message, done: (error: Error | null) => void): unknown;
  on(event: 'message', heard: (message: unknown) => void): unknown;
  on(event: 'disconnect', heard: () => void): unknown;
}

export interface Line {
  /** Rejects when the other end fails, is gone, or says nothing for so long. */
  ask(question: Question, patienceMs?: number): Promise<unknown>;
}

const usualPatienceMs = 5000;

/** `answer` is given what the other end asks. */
export function openLine(channel: Channel, answer: (question: Question) => unknown): Line {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(cause: Error): void }>();
  let asked = 0;
  const send = (message: Message, failed: (cause: Error) => void = () => undefined) => {
    if (!channel.connected || channel.send === undefined) failed(new Error('the other process is gone'));
    else channel.send(message, (error) => error !== null && failed(error));
  };
  channel.on('message', (message) => {
    // Other parts of Node use the channel too.
    if (typeof message !== 'object' || message === null) return;
    if ('ask' in message) {
      const { ask, question } = message as Extract<Message, { ask: number }>;
      Promise.resolve()
        .then(() => answer(question))
        .then(
          (value) => send({ answer: ask, value }),
          (cause: unknown) => send({ answer: ask, failed: cause instanceof Error ? cause.message : String(cause) }),
        );
    } else if ('answer' in message) {
      const { answer: number, value, failed } = message as Extract<Message, { answer: number }>;
      const asker = waiting.get(number);
      waiting.delete(number);
      if (failed === undefined) asker?.resolve(value);
      else asker?.reject(new Error(failed));
    }
  });
  channel.on('disconnect', () => {
    for (const { reject } of waiting.values()) reject(new Error('the other process is gone'));
    waiting.clear();
  });
  return {
    ask(question, patienceMs = usualPatienceMs) {
      const number = ++asked;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(number);
          reject(new Error('the other process does not answer'));
        }, patienceMs);
        const done = <T>(then: (value: T) => void) => {
          return (value: T) => {
            clearTimeout(timer);
            waiting.delete(number);
            then(value);
          };
        };
        waiting.set(number, { resolve: done(resolve), reject: done(reject) });
        send({ ask: number, question }, done(reject));
      });
    },
  };
}
