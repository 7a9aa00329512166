/**
 * ML-DSA-65 (FIPS 204, pure, empty context) over the UTF-8 of a text, and the checks that come with
 * a signed command: who, when.
 */

import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { fromHex, sha256Hex, toBytes } from "./bytes.ts";
import { SIGNED_WINDOW_S } from "./limits.ts";
import type { SignedCommand } from "./wire.ts";

export const PUBLIC_KEY_BYTES = 1_952;
export const SECRET_KEY_BYTES = 4_032;
export const SIGNATURE_BYTES = 3_309;

/** A key pair as the files hold it: raw FIPS 204 encodings. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** Makes a key pair from 32 random bytes. */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  return ml_dsa65.keygen(seed);
}

/** The public key that belongs to a secret key. */
export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return ml_dsa65.getPublicKey(secretKey);
}

/** What names a key in logs and records: hex SHA-256 of its raw bytes. */
export function fingerprint(publicKey: Uint8Array): string {
  return sha256Hex(publicKey);
}

/** What is signed: bytes, or a text's UTF-8. */
export type Message = string | Uint8Array;

export function messageBytes(message: Message): Uint8Array {
  return typeof message === "string" ? toBytes(message) : message;
}

/** Signs a message; `entropy` (32 random bytes) hedges the signature, without it it is deterministic. */
export function sign(secretKey: Uint8Array, message: Message, entropy?: Uint8Array): string {
  const extraEntropy = entropy ?? false as const;
  return ml_dsa65.sign(messageBytes(message), secretKey, { extraEntropy }).toHex();
}

/** Says whether the signature over the message was made by this key. Never throws. */
export function verify(publicKey: Uint8Array, message: Message, signatureHex: string): boolean {
  const signature = fromHex(signatureHex);
  if (signature?.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  return ml_dsa65.verify(signature, messageBytes(message), publicKey);
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
