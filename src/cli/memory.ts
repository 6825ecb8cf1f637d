// How much memory V8 takes for new objects. Loading the code lets it grow that young generation to 32 MB, which it then keeps: nothing makes it
// look again while a gateway only passes rows on. So it stays at its least while the code loads, and grows as it likes from then on.
import { setFlagsFromString } from 'node:v8';

/** To be called before anything large is loaded. On the command line V8 would take no factor below two. */
export function holdYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** To be called when everything is loaded: V8's own default again. */
export function releaseYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
