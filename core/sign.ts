/** ML-DSA-65 (FIPS 204, pure, empty context) over bytes or the UTF-8 of a text. */

import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { fromHex } from "./bytes.ts";
import { type Message, messageBytes, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "./signed.ts";

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
