// The constants of SHA-256 (FIPS 180-4, 4.2.2 and 5.3.3), computed as they are defined.

/** The first 32 bits of the fractional parts of the cube roots (square roots) of the first primes. */
function primeRoots(length: number, root: (prime: number) => number): Int32Array {
  const words = new Int32Array(length);
  for (let candidate = 2, found = 0; found < length; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) prime = false;
    if (prime) words[found++] = Math.floor((root(candidate) % 1) * 2 ** 32);
  }
  return words;
}

/** The round constants. */
export const ROUNDS = primeRoots(64, Math.cbrt);
/** The state before the first block. */
export const INITIAL = primeRoots(8, Math.sqrt);
