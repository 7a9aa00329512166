// The keys of a stream between an operator's CLI and a node, which whoever carries it does not get.

import { toBytes } from "../bytes.ts";
import type { SessionKeys } from "../seal/pqik.ts";
import { SymmetricState } from "../seal/noise.ts";
import type { Aead } from "../seal/primitives.ts";

const PROTOCOL = "skr8tr_stream_MLKEM768_AESGCM_SHA256";

/**
 * The node encapsulates to the key in the signed OPEN. Both sides mix the whole request in, so that
 * the keys fit only to this one.
 *
 * @param signedText what the operator has signed, with the stream's key in it
 */
export function streamKeys(
  aead: Aead,
  side: "operator" | "node",
  signedText: string,
  { ciphertext, shared }: { readonly ciphertext: Uint8Array; readonly shared: Uint8Array },
): SessionKeys {
  const state = SymmetricState.begin(aead, PROTOCOL);
  state.mixHash(toBytes(signedText));
  state.mixHash(ciphertext);
  state.mixKey(shared);
  const [first, second] = state.split();
  const { hash } = state;
  return side === "operator"
    ? { send: first, receive: second, hash }
    : { send: second, receive: first, hash };
}
