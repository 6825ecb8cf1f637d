// The room's signals between gateways and commands: what has changed, by its id; the tables say how.
import type { Store } from '../store/types.ts';

export const channels = {
  holds: 'sallyport_holds',
  grants: 'sallyport_grants',
  revocations: 'sallyport_revocations',
} as const;

type Channel = (typeof channels)[keyof typeof channels];
type Heard = (id: string | undefined) => void;

export interface Signals {
  listen(channel: Channel, heard: Heard): () => void;
  /** Nothing waits for it. A store without signals is asked instead. */
  send(channel: Channel, id: string): void;
  /** Resolves when everything sent so far has been handed over, or could not be. */
  sent(): Promise<void>;
}

export function createSignals(store: Store, log: (message: string, cause: unknown) => void): Signals {
  const sending = new Set<Promise<void>>();
  return {
    listen: (channel, heard) => store.listen(channel, heard),
    send(channel, id) {
      const sent = store
        .notify(channel, id)
        .catch((cause: unknown) => log('the store sends no signals', cause))
        .finally(() => sending.delete(sent));
      sending.add(sent);
    },
    async sent() {
      await Promise.all(sending);
    },
  };
}
