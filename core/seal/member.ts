/**
 * Who belongs to the cluster: the daemons that joined with a token that an operator signed, as the
 * log has them, and the words by which they come in.
 */

import { base64ToText, sha256Hex, textToBase64 } from "../bytes.ts";
import type { Anchor } from "../chain.ts";
import { EMPTY_HEAD, type Head } from "../log.ts";
import {
  integer,
  list,
  maybe,
  oneOf,
  parseShaped,
  type Shaped,
  struct,
  text,
  variant,
} from "../shape.ts";
import { KEM_PUBLIC_BYTES, type Peer } from "./primitives.ts";

const hex64 = text(64, /^[0-9a-f]{64}$/);
const signature = text(6_618, /^[0-9a-f]{6618}$/);
const base64 = (maxLength: number) => text(maxLength, /^[A-Za-z0-9+/]+={0,2}$/);
const staticKey = base64(1_580);
/** An ML-DSA-65 public key. */
const publicKey = base64(2_604);
const name = text(63, /^[A-Za-z0-9][A-Za-z0-9._-]*$/);

/** Roles that a token can be for. The conductor is whom the token names. */
export const JOIN_ROLES = ["node", "tower", "ingress"] as const;
export type JoinRole = (typeof JOIN_ROLES)[number];

const memberShape = struct({
  role: oneOf("conductor", ...JOIN_ROLES),
  name,
  /** Hex SHA-256 of the identity's public key. */
  identity: hex64,
  /** ML-KEM-768, in base64. */
  staticKey,
  /** Of a node: its id. */
  node: maybe(text(32, /^[0-9a-f]{32}$/)),
});
/** One admitted daemon. */
export type Member = Shaped<typeof memberShape>;

export function parseMember(json: string): Member | null {
  return parseShaped(memberShape, json);
}

/** What the other side of a session is known as. */
export function peerOfMember({ role, name, identity, node }: Member): Peer {
  return { role, name, identity, ...(node === undefined ? {} : { node }) };
}

/** The static key's bytes; `null` where the text holds none. */
export function staticKeyBytes(encoded: string): Uint8Array | null {
  try {
    const bytes = Uint8Array.fromBase64(encoded);
    return bytes.length === KEM_PUBLIC_BYTES ? bytes : null;
  } catch {
    return null;
  }
}

/** What an identity signs to say that a static key is its own. */
export function certificateText(staticKey: Uint8Array): string {
  return `skr8tr static key|${sha256Hex(staticKey)}`;
}

/** What an operator's key signs to say that a static key speaks for it, until `untilS`. */
export function operatorCertificateText(staticKey: Uint8Array, untilS: number): string {
  return `skr8tr operator static key|${sha256Hex(staticKey)}|${untilS}`;
}

// ---- Tokens -------------------------------------------------------------------------------------

const introductionShape = struct({
  /** The identity's public key (ML-DSA-65), its static key, and the one's word for the other. */
  identityKey: publicKey,
  staticKey,
  certificate: signature,
});
/** How a daemon says who it is to one who does not know it. */
export type Introduction = Shaped<typeof introductionShape>;

export function parseIntroduction(json: string): Introduction | null {
  return parseShaped(introductionShape, json);
}

const tokenShape = struct({
  /**
   * `JOIN|<id>|<role>|<until>|<conductor's identity>|<its static key's hash>|<sequence>:<hash>`, then,
   * unless the log is empty, `|<log>:<last command's sequence>:<chain>`, then `|<now>`.
   */
  text: text(1_000),
  signature,
  /** The public key that signed it: whoever is given the token trusts it from then on. */
  operator: publicKey,
  conductor: introductionShape,
  /** `HOST:PORT` of the conductor's TCP port, as the operator reached it. */
  address: text(300),
});
export type JoinToken = Shaped<typeof tokenShape>;

/** What is signed in a token. */
export interface TokenTerms {
  readonly id: string;
  readonly role: JoinRole;
  readonly untilS: number;
  /** The conductor's identity. */
  readonly conductor: string;
  /** Hex SHA-256 of the conductor's static key. */
  readonly staticHash: string;
  /** Where the log ended when the token was made: a shorter one is not this cluster's. */
  readonly head: Head;
  /** Where the chain of its signed commands ended; absent where the log was empty. */
  readonly anchor?: Anchor;
}

const PREFIX = "skr8tr-join-1.";

export function formatTerms(terms: TokenTerms): string {
  const { id, role, untilS, conductor, staticHash, head, anchor } = terms;
  const chain = anchor ? `|${anchor.log}:${anchor.sequence}:${anchor.chain}` : "";
  return `JOIN|${id}|${role}|${untilS}|${conductor}|${staticHash}|${head.sequence}:${head.hash}${chain}`;
}

const TERMS =
  /^JOIN\|([A-Za-z0-9-]{8,64})\|(node|tower|ingress)\|([0-9]{1,12})\|([0-9a-f]{64})\|([0-9a-f]{64})\|([0-9]{1,15}):([0-9a-f]{64})(?:\|([0-9a-f]{64}):([0-9]{1,15}):([0-9a-f]{64}))?\|[0-9]{1,12}$/;

/** What a token's signed text says; `null` where it is none. */
export function parseTerms(text: string): TokenTerms | null {
  const found = TERMS.exec(text);
  if (!found) return null;
  const [, id, role, until, conductor, staticHash, sequence, hash, log, last, chain] = found;
  return {
    id: id!,
    role: role as JoinRole,
    untilS: Number(until),
    conductor: conductor!,
    staticHash: staticHash!,
    head: { sequence: Number(sequence), hash: hash! },
    ...(log === undefined ? {} : { anchor: { log, sequence: Number(last), chain: chain! } }),
  };
}

/** The token as one word, to be handed to a daemon. */
export function formatToken(token: JoinToken): string {
  return PREFIX + textToBase64(JSON.stringify(token));
}

/** Reads a token; `null` where the text is none. Its signature is not looked at here. */
export function parseToken(word: string): JoinToken | null {
  const trimmed = word.trim();
  if (!trimmed.startsWith(PREFIX)) return null;
  const json = base64ToText(trimmed.slice(PREFIX.length));
  return json === null ? null : parseShaped(tokenShape, json);
}

/** Says whether a text is meant to be a token. */
export function isToken(word: string): boolean {
  return word.startsWith(PREFIX);
}

const admissionShape = struct({
  /** When the daemon was let in, unix seconds. */
  atS: integer(0, 2 ** 40),
  /** By whom: its identity's public key, and what that signed (core/seal/succession.ts). */
  conductor: publicKey,
  signature,
});
export type Admission = Shaped<typeof admissionShape>;

const joinShape = struct({
  token: text(1_000),
  signature,
  role: oneOf(...JOIN_ROLES),
  name,
  node: maybe(text(32, /^[0-9a-f]{32}$/)),
  introduction: introductionShape,
  /** How the conductor that is lost let it in. */
  admission: maybe(admissionShape),
});
/** What a daemon that joins says to the conductor (`POST /join`, in a sealed session). */
export type JoinRequest = Shaped<typeof joinShape>;

export function parseJoin(json: string): JoinRequest | null {
  return parseShaped(joinShape, json);
}

// ---- The roster, as daemons follow it (`/members`) ------------------------------------------------

export const memberStreamShape = variant({
  /** All members of the roles that were asked for. */
  members: struct({ members: list(memberShape, 50_000) }),
  member: struct({ member: memberShape }),
  forgotten: struct({ identity: hex64 }),
});
export type MemberMessage = Shaped<typeof memberStreamShape>;

const anchorShape = struct({ log: hex64, sequence: integer(0, 2 ** 52), chain: hex64 });

export function parseAnchor(value: unknown): Anchor | null {
  return parseShaped(anchorShape, JSON.stringify(value) ?? "");
}

const membershipShape = struct({
  /** Id of the token that it joined with. */
  token: text(64),
  conductor: memberShape,
  /** Public key of the operator who signed the token. */
  operator: publicKey,
  head: maybe(struct({ sequence: (value) => Number(value), hash: hex64 })),
  anchor: maybe(anchorShape),
  address: text(300),
  members: list(memberShape, 50_000),
  /** When an operator said who leads, unix seconds: only a later word changes it. */
  leadsS: maybe(integer(0, 2 ** 40)),
  /** What it was let in by, for a conductor that takes the place of that one. */
  proof: maybe(struct({ token: text(1_000), signature, admission: admissionShape })),
});
/** What a daemon keeps of its cluster. */
export type Membership = Shaped<typeof membershipShape>;

export function parseMembership(json: string): Membership | null {
  return parseShaped(membershipShape, json);
}

const identityShape = struct({
  identityKey: publicKey,
  staticKey,
  certificate: signature,
  succession: maybe(struct({ text: text(1_000), signature, operator: publicKey })),
});
/** What a conductor says of itself (`GET /identity`). */
export function parseIdentity(json: string): Shaped<typeof identityShape> | null {
  return parseShaped(identityShape, json);
}

const joinedShape = struct({
  members: list(memberShape, 50_000),
  admission: maybe(admissionShape),
});
/** The answer to a daemon that was let in. */
export function parseJoined(json: string): Shaped<typeof joinedShape> | null {
  return parseShaped(joinedShape, json);
}

export function headOf({ head }: Membership): Head {
  return head ?? EMPTY_HEAD;
}
