// The symmetric half of a Noise handshake (revision 34, section 5), for AES-256-GCM and SHA-256.

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { toBytes } from "../bytes.ts";
import { type Aead, TAG_BYTES } from "./primitives.ts";

const NOTHING = new Uint8Array();

/** Bytes of several arrays in one. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** HMAC-SHA-256. */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  return hmac(sha256, key, data);
}

/** Compares without telling by its time where two texts differ. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) difference |= a[at]! ^ (b[at] ?? 0);
  return difference === 0;
}

/** Noise's HKDF with two or three outputs. */
function hkdf(chainingKey: Uint8Array, input: Uint8Array, count: 2 | 3): Uint8Array[] {
  const temporary = hmacSha256(chainingKey, input);
  const outputs: Uint8Array[] = [];
  let last: Uint8Array = NOTHING;
  for (let at = 1; at <= count; at++) {
    last = hmacSha256(temporary, concat(last, new Uint8Array([at])));
    outputs.push(last);
  }
  return outputs;
}

/** Noise's SymmetricState: a chaining key, a hash of all that was said, and a key once there is one. */
export class SymmetricState {
  readonly #aead: Aead;
  #chainingKey: Uint8Array;
  #hash: Uint8Array;
  #key: Uint8Array | null = null;
  #counter = 0;

  private constructor(aead: Aead, chainingKey: Uint8Array, hash: Uint8Array) {
    this.#aead = aead;
    this.#chainingKey = chainingKey;
    this.#hash = hash;
  }

  static begin(aead: Aead, protocol: string): SymmetricState {
    const name = toBytes(protocol);
    const hash = name.length > 32 ? sha256(name) : concat(name, new Uint8Array(32 - name.length));
    return new SymmetricState(aead, hash, hash);
  }

  /** The same state once more, so that a forged message can be tried without spoiling this one. */
  copy(): SymmetricState {
    const copy = new SymmetricState(this.#aead, this.#chainingKey, this.#hash);
    copy.#key = this.#key;
    copy.#counter = this.#counter;
    return copy;
  }

  /** The hash of the whole handshake so far: both sides have the same, or did not talk to each other. */
  get hash(): Uint8Array {
    return this.#hash;
  }

  /** How much longer a text gets by `encryptAndHash`. */
  get overhead(): number {
    return this.#key === null ? 0 : TAG_BYTES;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = sha256(concat(this.#hash, data));
  }

  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = hkdf(this.#chainingKey, input, 2);
    this.#chainingKey = chainingKey!;
    this.#use(key!);
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, hash, key] = hkdf(this.#chainingKey, input, 3);
    this.#chainingKey = chainingKey!;
    this.mixHash(hash!);
    this.#use(key!);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const sealed = this.#key === null
      ? plaintext
      : this.#aead.seal(this.#key, this.#counter++, this.#hash, plaintext);
    this.mixHash(sealed);
    return sealed;
  }

  /** The text, or `null` where it was not sealed by whoever has said the same as we have heard. */
  decryptAndHash(sealed: Uint8Array): Uint8Array | null {
    const plaintext = this.#key === null
      ? sealed
      : this.#aead.open(this.#key, this.#counter++, this.#hash, sealed);
    this.mixHash(sealed);
    return plaintext;
  }

  /** The keys of the two directions: the initiator's first. */
  split(): readonly [Uint8Array, Uint8Array] {
    const [first, second] = hkdf(this.#chainingKey, NOTHING, 2);
    return [first!, second!];
  }

  #use(key: Uint8Array): void {
    this.#key = key;
    this.#counter = 0;
  }
}
