// Sealing a text to somebody's public key: key encapsulation by ML-KEM-768 (FIPS 203), a key of
// HKDF-SHA256 and AES-256-GCM, put together as HPKE does it (RFC 9180, base mode).
//
//   box = 1 | ciphertext of the KEM (1088) | AES-256-GCM(text) with its tag
//   key, nonce = HKDF(shared secret, info = "skr8tr box 1" | SHA-256(public key) | ciphertext | context)
//
// Each box has a key of its own, so its nonce is used once. The context says what the box is for; it
// opens only under the same.

import {
  KEM_CIPHERTEXT_BYTES,
  KEM_SEED_BYTES,
  type KemSecret,
  TAG_BYTES,
} from "../seal/primitives.ts";
import { createKem, type Kem } from "./seal_primitives.ts";

const VERSION = 1;
const encoder = new TextEncoder();
let kem: Promise<Kem> | null = null;

/** Who can open boxes. */
export interface BoxKeys {
  readonly publicKey: Uint8Array;
  readonly secret: KemSecret;
}

/** The keys of 64 random bytes. */
export async function boxKeys(seed: Uint8Array): Promise<BoxKeys> {
  return await (await theKem()).fromSeed(seed);
}

/** The keys of a file that only its owner may read; made where there is none. */
export async function openBoxKeys(path: string): Promise<BoxKeys> {
  let seed: Uint8Array;
  try {
    seed = await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    seed = crypto.getRandomValues(new Uint8Array(KEM_SEED_BYTES));
    await Deno.writeFile(`${path}.new`, seed, { mode: 0o600 });
    await Deno.rename(`${path}.new`, path);
  }
  return await boxKeys(seed);
}

/** The keys of such a file, when they are first wanted. What failed is tried again. */
export class BoxKeyFile {
  #keys: Promise<BoxKeys> | null = null;

  constructor(private readonly path: string) {}

  /** @throws {Error} where the file can neither be read nor made. */
  open(): Promise<BoxKeys> {
    if (this.#keys) return this.#keys;
    const opening = this.#keys = openBoxKeys(this.path);
    opening.catch(() => this.#keys = null);
    return opening;
  }
}

/** @returns the box in base64; `null` where the public key is none */
export async function seal(
  publicKey: Uint8Array,
  text: Uint8Array,
  context: string,
): Promise<string | null> {
  const answers = await (await theKem()).perform([{ op: "encapsulate", publicKey }]);
  const answer = answers?.[0];
  if (!answer || !("ciphertext" in answer)) return null;
  const { ciphertext, shared } = answer;
  const { key, iv } = await derive(shared, publicKey, ciphertext, context, "encrypt");
  const body = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, text as BufferSource);
  return join([Uint8Array.of(VERSION), ciphertext, new Uint8Array(body)]).toBase64();
}

/** The text of a box; `null` where it was not sealed to these keys for this context, or was altered. */
export async function open(
  keys: BoxKeys,
  box: string,
  context: string,
): Promise<Uint8Array | null> {
  const bytes = fromBase64(box);
  if (bytes?.[0] !== VERSION || bytes.length < 1 + KEM_CIPHERTEXT_BYTES + TAG_BYTES) return null;
  const ciphertext = bytes.slice(1, 1 + KEM_CIPHERTEXT_BYTES);
  const operation = { op: "decapsulate", secret: keys.secret, ciphertext } as const;
  const answer = (await (await theKem()).perform([operation]))?.[0];
  if (!answer || !("shared" in answer)) return null;
  const { key, iv } = await derive(answer.shared, keys.publicKey, ciphertext, context, "decrypt");
  const body = bytes.slice(1 + KEM_CIPHERTEXT_BYTES);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, body));
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function theKem(): Promise<Kem> {
  return kem ??= createKem();
}

async function derive(
  shared: Uint8Array,
  publicKey: Uint8Array,
  ciphertext: Uint8Array,
  context: string,
  use: "encrypt" | "decrypt",
): Promise<{ key: CryptoKey; iv: BufferSource }> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", publicKey as BufferSource));
  const label = encoder.encode("skr8tr box 1");
  const info = join([label, hash, ciphertext, encoder.encode(context)]);
  const secret = await crypto.subtle.importKey(
    "raw",
    shared as BufferSource,
    "HKDF",
    false,
    ["deriveBits"],
  );
  const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  const bits = new Uint8Array(await crypto.subtle.deriveBits(parameters, secret, 8 * 44));
  const key = await crypto.subtle.importKey("raw", bits.slice(0, 32), "AES-GCM", false, [use]);
  return { key, iv: bits.slice(32) };
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.fromBase64(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
