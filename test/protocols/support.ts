// What the tests of both protocol rooms share: a gate that lets in who has the token, runs that may settle once, a port, and plain masks.
import { createServer, type Socket } from 'node:net';
import type {
  Challenge,
  ClientHello,
  Execution,
  FieldMask,
  Gate,
  GateSession,
  MaybePromise,
  Outcome,
  RecordId,
  Refusal,
} from '../../protocols/gate.ts';

export interface Settled {
  readonly text: string;
  readonly outcome: Outcome;
}

export const refusal = (message: string, more: Partial<Refusal> = {}): Refusal => ({
  kind: 'policy',
  rule: 'test',
  message: `sallyport: ${message}`,
  ...more,
});

export interface ScriptedGate {
  /** Left out: `token`. */
  readonly token?: string;
  readonly challenge?: (hello: ClientHello) => MaybePromise<Challenge>;
}

/** Admits who brings the script's token, or has been verified; notes every hello. */
export function scriptedGate(
  script: ScriptedGate,
  hellos: ClientHello[],
  session: (hello: ClientHello) => GateSession,
): Gate {
  return {
    challenge(hello) {
      hellos.push(hello);
      return script.challenge?.(hello) ?? { kind: 'token' };
    },
    async admit(hello, proof) {
      if (proof.kind === 'token' && proof.token !== (script.token ?? 'token')) {
        return { kind: 'refused', refusal: refusal('the token is wrong', { kind: 'login' }) };
      }
      return { kind: 'admitted', session: session(hello) };
    },
  };
}

/** One run of a text; to settle it twice is an error of the relay. */
export function executionOf(text: string, number: number, settled: Settled[]): Execution {
  let done = false;
  return {
    record: `r${number}` as RecordId,
    settle(outcome) {
      if (done) throw new Error(`settled twice: ${text}`);
      done = true;
      settled.push({ text, outcome });
    },
  };
}

/** A logger that keeps warnings and errors. */
export function keepingLogger(errors: unknown[]) {
  const log = (fields: Readonly<Record<string, unknown>>, message: string) => void errors.push({ message, ...fields });
  return { debug: () => {}, info: () => {}, warn: log, error: log };
}

/** Accepts connections on a free port for a listener. */
export async function serve(listener: {
  handle(socket: Socket): void;
  close(): void;
}): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const tcp = createServer((socket) => listener.handle(socket));
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const address = tcp.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    async stop() {
      listener.close();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}

/** Replaces each byte by `*`, at the same length. */
export const stars: FieldMask = {
  inPlace(bytes, start, end) {
    bytes.fill(0x2a, start, end);
    return true;
  },
  bound: (length) => length,
  write(_from, start, end, to, at) {
    to.fill(0x2a, at, at + end - start);
    return at + end - start;
  },
};

/** Replaces the value by a word of another length. */
export function word(text: string): FieldMask {
  const bytes = Buffer.from(text);
  return {
    inPlace: () => false,
    bound: () => bytes.length,
    write: (_from, _start, _end, to, at) => at + bytes.copy(to, at),
  };
}

/** Turns every value into NULL. */
export const nothing: FieldMask = { inPlace: () => false, bound: () => 0, write: () => -1 };
