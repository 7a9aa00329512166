// Encryption at rest: AES-256-GCM with a fresh nonce a record, bound to its place.

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { Failure } from "../../core/errors.ts";

const MARK = "aes1:";
const TAG_BYTES = 16;
const NONCE_BYTES = 12;

/** Reads a key of 32 bytes, raw or in hex. @throws {Failure} `no-key`. */
export async function readAtRestKey(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
    const { mode } = await Deno.stat(path);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new Error(`others can read it: run chmod 600 ${path}`);
    }
  } catch (error) {
    throw new Failure("no-key", `cannot use the key ${path}: ${(error as Error).message}`);
  }
  if (bytes.length === 32) return bytes;
  const hex = new TextDecoder().decode(bytes).trim();
  if (/^[0-9a-fA-F]{64}$/.test(hex)) return Uint8Array.fromHex(hex);
  throw new Failure(
    "no-key",
    `${path} is no key: 32 bytes, or 64 hex characters (openssl rand -hex 32 makes one)`,
  );
}

/** @param place what the text belongs to: elsewhere it does not open */
export function encrypt(key: Uint8Array, text: string, place: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(new TextEncoder().encode(place));
  const parts = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
  return MARK + concat(parts).toBase64();
}

/** The text; one that was written without encryption as it is; `null` where it does not open. */
export function decrypt(key: Uint8Array | null, stored: string, place: string): string | null {
  if (!stored.startsWith(MARK)) return stored;
  if (key === null) return null;
  try {
    const bytes = Uint8Array.fromBase64(stored.slice(MARK.length));
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(new TextEncoder().encode(place));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const opened = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    return new TextDecoder().decode(concat([opened, decipher.final()]));
  } catch {
    return null;
  }
}

/** Says whether the text was stored encrypted. */
export function isEncrypted(stored: string): boolean {
  return stored.startsWith(MARK);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
