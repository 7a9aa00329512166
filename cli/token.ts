// Tokens with which daemons join: made and signed where an operator's key is.

import { randomHex } from "../core/live/clock.ts";
import type { Anchor } from "../core/chain.ts";
import type { Head } from "../core/log.ts";
import { sha256Hex } from "../core/bytes.ts";
import { formatTerms, formatToken, type Introduction, type JoinRole } from "../core/seal/member.ts";
import type { Signer } from "./keys.ts";

/** What goes into a token. */
export interface TokenWish {
  readonly role: JoinRole;
  /** How long it may be used, s. */
  readonly ttlS: number;
  /** Whose cluster it is for, as the conductor introduced itself and as it was pinned. */
  readonly conductor: Introduction;
  /** `HOST:PORT` of the conductor's TCP port. */
  readonly address: string;
  /** Where the log ends now. */
  readonly head: Head;
  /** Where the chain of its signed commands ends; absent while the log is empty. */
  readonly anchor?: Anchor;
  /** The operator's public key. */
  readonly publicKey: Uint8Array;
  readonly signer: Signer;
  readonly wallMs: number;
}

/** Makes a token, as the word that is given to the daemon. */
export async function makeToken(wish: TokenWish): Promise<string> {
  const nowS = Math.floor(wish.wallMs / 1_000);
  const { conductor, role, head, anchor, address } = wish;
  const terms = formatTerms({
    id: randomHex(16),
    role,
    untilS: nowS + wish.ttlS,
    conductor: sha256Hex(Uint8Array.fromBase64(conductor.identityKey)),
    staticHash: sha256Hex(Uint8Array.fromBase64(conductor.staticKey)),
    head,
    ...(anchor ? { anchor } : {}),
  });
  const text = `${terms}|${nowS}`;
  return formatToken({
    text,
    signature: await wish.signer.sign(text),
    operator: wish.publicKey.toBase64(),
    conductor,
    address,
  });
}
