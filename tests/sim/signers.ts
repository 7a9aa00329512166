// Who signs in the virtual world: nobody without a signer's secret makes its signature.

import { sha256Hex } from "../../core/bytes.ts";
import { fingerprint, PUBLIC_KEY_BYTES } from "../../core/signed.ts";
import type { Root } from "../../core/roster.ts";

export interface Signer extends Root {
  readonly name: string;
  /** Raw public key in base64. */
  readonly publicText: string;
}

/** The one whose key all daemons were started with. */
export const ROOT = signer("root", 1);
/** One who may do only what was granted. */
export const ANN = signer("ann", 2);

function signer(name: string, number: number): Signer {
  const publicKey = new Uint8Array(PUBLIC_KEY_BYTES).fill(number);
  return { name, publicKey, publicText: publicKey.toBase64(), key: fingerprint(publicKey) };
}

export function fakeSignature(text: string, { name }: Signer): string {
  return sha256Hex(`the secret of ${name}|${text}`).repeat(104).slice(0, 6618);
}

/** Whose signature this is; `null` for nobody's. */
export function signerOf(text: string, signatureHex: string): Signer | null {
  return [ROOT, ANN].find((each) => fakeSignature(text, each) === signatureHex) ?? null;
}
