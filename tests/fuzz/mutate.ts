// Inputs that are nearly right: real ones with something changed, which get deeper into a parser than
// chance does.

import type { Prng } from "../../core/prng.ts";

const ODD = [
  ...["", "\0", "\n", "\r\n", "|", "||", "-", "..", "%00", "\u{1f4a5}", "\ufeff", "\ud800"],
  ...["0", "-1", "1e400", "9007199254740993", "null", "true", "[]", "{}", '"', "__proto__"],
  ...["a".repeat(300), "[".repeat(200), '{"k":', "f".repeat(64), "=".repeat(9)],
].map((text) => new TextEncoder().encode(text));

const LARGEST = 70_000;

/** A changed copy of one of the samples, or two of them put together, or bytes without order. */
export function mutate(samples: readonly Uint8Array[], prng: Prng): Uint8Array {
  if (prng.below(20) === 0) return chance(prng.below(200), prng);
  let bytes = samples[prng.below(samples.length)]!;
  for (let changes = 1 + prng.below(4); changes > 0; changes--) {
    bytes = change(bytes, samples, prng);
  }
  return bytes.length > LARGEST ? bytes.slice(0, LARGEST) : bytes;
}

function change(bytes: Uint8Array, samples: readonly Uint8Array[], prng: Prng): Uint8Array {
  const at = prng.below(bytes.length + 1);
  switch (prng.below(8)) {
    case 0: {
      const turned = bytes.slice();
      if (at < turned.length) turned[at]! ^= 1 << prng.below(8);
      return turned;
    }
    case 1: {
      const set = bytes.slice();
      if (at < set.length) set[at] = prng.below(256);
      return set;
    }
    case 2:
      return join(bytes.subarray(0, at), bytes.subarray(at + 1 + prng.below(16)));
    case 3:
      return join(bytes.subarray(0, at), ODD[prng.below(ODD.length)]!, bytes.subarray(at));
    case 4:
      return bytes.slice(0, at);
    case 5: {
      const other = samples[prng.below(samples.length)]!;
      return join(bytes.subarray(0, at), other.subarray(prng.below(other.length + 1)));
    }
    case 6: {
      const part = bytes.subarray(at, at + 1 + prng.below(40));
      return join(bytes.subarray(0, at), part, part, part, bytes.subarray(at));
    }
    default:
      return join(bytes.subarray(0, at), chance(1 + prng.below(8), prng), bytes.subarray(at));
  }
}

function chance(length: number, prng: Prng): Uint8Array {
  return Uint8Array.from({ length }, () => prng.below(256));
}

function join(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
