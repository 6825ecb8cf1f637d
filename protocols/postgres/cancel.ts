// Cancel keys: which session of this process a CancelRequest means, and how one is sent upstream.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { BackendKeyData } from './backend.ts';

interface Entry {
  readonly secret: Buffer;
  readonly cancel: () => void;
}

/** The keys of all sessions of the process; every listener of the process shares one. */
export class CancelRegistry {
  private readonly entries = new Map<number, Entry[]>();

  /**
   * A key for a session. It carries the upstream's process id, which clients compare with pg_backend_pid() and with the sender
   * of notifications; the secret is our own.
   */
  issue(
    processId: number,
    secretLength: number,
    cancel: () => void,
  ): { readonly key: BackendKeyData; release(): void } {
    const entry = { secret: randomBytes(secretLength), cancel };
    const same = this.entries.get(processId);
    if (same === undefined) this.entries.set(processId, [entry]);
    else same.push(entry);
    return {
      key: { processId, secret: entry.secret },
      release: () => {
        const left = (this.entries.get(processId) ?? []).filter((other) => other !== entry);
        if (left.length === 0) this.entries.delete(processId);
        else this.entries.set(processId, left);
      },
    };
  }

  /** Cancels what the session with this key runs. False when no session of this process has it. */
  cancel(key: BackendKeyData): boolean {
    for (const { secret, cancel } of this.entries.get(key.processId) ?? []) {
      // Several upstream servers may have the same process id: the secret decides.
      if (secret.length !== key.secret.length || !timingSafeEqual(secret, key.secret)) continue;
      cancel();
      return true;
    }
    return false;
  }
}

/** PG_PROTOCOL code of a CancelRequest. */
export const cancelCode = 80877102;

export function encodeCancelRequest(key: BackendKeyData): Buffer {
  const frame = Buffer.allocUnsafe(12 + key.secret.length);
  frame.writeInt32BE(frame.length, 0);
  frame.writeInt32BE(cancelCode, 4);
  frame.writeInt32BE(key.processId, 8);
  key.secret.copy(frame, 12);
  return frame;
}
