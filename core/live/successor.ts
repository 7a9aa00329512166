// Looking for the conductor that took the place of one that is lost.

import type { Address } from "../address.ts";
import { sha256Hex } from "../bytes.ts";
import {
  certificateText,
  type Member,
  type Membership,
  parseIdentity,
  staticKeyBytes,
} from "../seal/member.ts";
import { parseSuccession } from "../seal/succession.ts";
import { createVerifier } from "./crypto.ts";

/** How long whoever answers at the conductor's address may take, ms, and how much may come. */
const ANSWER_MS = 2_000;
const ANSWER_CHARACTERS = 40_000;

/** A conductor that an operator has named, and when. */
export interface Successor {
  readonly conductor: Member;
  readonly leadsS: number;
}

/**
 * Asks whoever is at the conductor's address. What comes is plain and from anybody, and counts only
 * with an operator's signature that is later than the word by which the old one leads.
 *
 * @param trusts says whether an operator of this key (raw, base64) may name a conductor
 */
export async function findSuccessor(
  { hostname, port }: Address,
  known: Membership,
  trusts: (publicKey: string) => boolean,
): Promise<Successor | null> {
  const authority = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  const response = await fetch(`http://${authority}/identity`, {
    signal: AbortSignal.timeout(ANSWER_MS),
    redirect: "error",
  });
  let json = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    json += part;
    if (json.length > ANSWER_CHARACTERS) return null;
  }
  const said = parseIdentity(json);
  const succession = said?.succession;
  const terms = succession && parseSuccession(succession.text);
  const staticKey = said && staticKeyBytes(said.staticKey);
  if (!said || !terms || !staticKey) return null;
  const identityKey = Uint8Array.fromBase64(said.identityKey);
  const identity = sha256Hex(identityKey);
  const isNamed = terms.identity === identity && terms.staticHash === sha256Hex(staticKey) &&
    terms.log === known.anchor?.log && terms.unixS > (known.leadsS ?? Infinity) &&
    identity !== known.conductor.identity;
  if (!isNamed || !trusts(succession.operator)) return null;
  const verifier = await createVerifier();
  const operator = Uint8Array.fromBase64(succession.operator);
  const isSigned = await verifier.verify(operator, succession.text, succession.signature) &&
    await verifier.verify(identityKey, certificateText(staticKey), said.certificate);
  if (!isSigned) return null;
  const conductor = {
    role: "conductor",
    name: "conductor",
    identity,
    staticKey: said.staticKey,
  } as const;
  return { conductor, leadsS: terms.unixS };
}
