// What is known of a signed command without the mathematics of its signature, which is heavy to load
// (sign.ts).

import { sha256Hex, toBytes } from "./bytes.ts";
import { SIGNED_WINDOW_S } from "./limits.ts";
import type { SignedCommand } from "./wire.ts";

export const PUBLIC_KEY_BYTES = 1_952;
export const SECRET_KEY_BYTES = 4_032;
export const SIGNATURE_BYTES = 3_309;

/** What is signed: bytes, or a text's UTF-8. */
export type Message = string | Uint8Array;

export function messageBytes(message: Message): Uint8Array {
  return typeof message === "string" ? toBytes(message) : message;
}

/** What names a key in logs and records: hex SHA-256 of its raw bytes. */
export function fingerprint(publicKey: Uint8Array): string {
  return sha256Hex(publicKey);
}

/** Says whether the command's time is near enough to the verifier's clock. */
export function inTime(signed: Pick<SignedCommand, "unixS">, wallMs: number): boolean {
  return Math.abs(wallMs / 1000 - signed.unixS) <= SIGNED_WINDOW_S;
}

/**
 * What the replay guard remembers: the signed text and the key. Not the received bytes, since the
 * same command may come with upper-case hex, or with another (hedged) signature of the same key.
 */
export function replayKey(signed: Pick<SignedCommand, "text">, keyFingerprint: string): string {
  return sha256Hex(`${keyFingerprint}|${signed.text}`);
}
