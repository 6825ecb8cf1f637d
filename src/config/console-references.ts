// Faults of the console's settings that take more than one place of the file to see.
import type { FileContent } from './schema.ts';
import type { ShapeFault } from './shape.ts';
import { isLoopback } from './values.ts';

/** Whether people can log in there, and whether it may be reached from where it listens. */
export function consoleFaults({ listen, insecure, identity, console: page }: FileContent): readonly ShapeFault[] {
  const faults: ShapeFault[] = [];
  const value = (path: readonly string[], expected: string) => faults.push({ path: [...path], at: 'value', expected });
  const open = insecure || listen.insecure === true;
  if (listen.console !== undefined && listen.tls === undefined && !open && !isLoopback(listen.console.host)) {
    value(['listen', 'console'], 'expected a loopback address, or a certificate in listen.tls: people log in there');
  }
  if (page === undefined) return faults;
  if ((page.issuer === undefined) !== (page['client-id'] === undefined)) {
    value(['console'], 'expected issuer and client-id together');
  }
  const issuer = identity.issuers.find((each) => each.issuer === page.issuer);
  if (page.issuer !== undefined && (issuer === undefined || issuer.local === true)) {
    value(['console', 'issuer'], 'expected one of identity.issuers, and not the local one');
  }
  return faults;
}
