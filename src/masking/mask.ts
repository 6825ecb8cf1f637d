// The shape every mask of this room has, the constant masks, and the scratch memory that masks share.
import type { DeferredWrite, FieldMask } from '../../protocols/gate.ts';

/**
 * A mask whose bound is a line: at most `slope * length + offset` bytes. Masks of containers (arrays, records, documents) need
 * that of their elements' masks to bound the whole.
 */
export interface PlannedMask extends FieldMask {
  readonly slope: number;
  readonly offset: number;
}

export type InPlace = (bytes: Buffer, start: number, end: number) => boolean;
export type Write = (from: Buffer, start: number, end: number, to: Buffer, at: number) => number;

/** What `write` answers where the masked value is NULL. */
export const NULL = -1;

const never: InPlace = () => false;

/** Every mask is made here, so that all have one shape and the relay's calls stay cheap. */
export function plannedMask(
  slope: number,
  offset: number,
  write: Write,
  inPlace: InPlace = never,
  deferred: DeferredWrite | undefined = undefined,
): PlannedMask {
  return { slope, offset, inPlace, bound: (length: number) => Math.ceil(slope * length) + offset, write, deferred };
}

/** NULL, whatever the value is. */
export const nullMask: PlannedMask = plannedMask(0, 0, () => NULL);

/** The same bytes for every value; NULL where there are none. */
export function constantMask(constant: Buffer | undefined): PlannedMask {
  if (constant === undefined) return nullMask;
  const length = constant.length;
  return plannedMask(
    0,
    length,
    (_from, _start, _end, to, at) => put(constant, to, at),
    (bytes, start, end) => {
      if (end - start !== length) return false;
      put(constant, bytes, start);
      return true;
    },
  );
}

/** Copies a whole buffer and answers the offset after it. A loop beats `copy` for the short values masks put out. */
export function put(constant: Buffer, to: Buffer, at: number): number {
  const length = constant.length;
  if (length > 64) {
    to.set(constant, at);
    return at + length;
  }
  for (let index = 0; index < length; index++) to[at + index] = constant[index] as number;
  return at + length;
}

/** Copies a run of bytes and answers the offset after it. */
export function copyRun(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  if (end - start > 64) {
    from.copy(to, at, start, end);
    return at + end - start;
  }
  let out = at;
  for (let index = start; index < end; index++) to[out++] = from[index] as number;
  return out;
}

/** Memory that a mask keeps for values in between; it grows to the largest value seen, at most to what `room` was asked for. */
export interface Scratch {
  bytes: Buffer;
}

export function scratch(): Scratch {
  return { bytes: Buffer.alloc(256) };
}

/** Makes room for `length` bytes. What stood there before is gone. */
export function room(memory: Scratch, length: number): Buffer {
  if (memory.bytes.length < length) memory.bytes = Buffer.allocUnsafeSlow(Math.max(length, memory.bytes.length * 2));
  return memory.bytes;
}
