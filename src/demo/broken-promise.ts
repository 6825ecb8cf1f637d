// The demo's own failure.

/** Something did not happen as the demo says. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
}
