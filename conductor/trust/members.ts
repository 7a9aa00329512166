/**
 * The daemons that belong to the cluster, as the log has them: each came with a token that an
 * operator signed, once.
 */

import type { EntryBody, SignedRecord } from "../../core/log.ts";
import { MEMBERS } from "../../core/limits.ts";
import type { JoinRequest, Member, TokenTerms } from "../../core/seal/member.ts";
import { sha256Hex } from "../../core/bytes.ts";
import { peerOfMember } from "../../core/seal/member.ts";
import type { Peer } from "../../core/seal/primitives.ts";

type JoinEntry = Extract<EntryBody, { kind: "join" }>;

/** A token that was used. */
interface UsedToken {
  readonly untilS: number;
  /** Who came with it. */
  readonly identity: string;
}

export interface MembersData {
  readonly members: readonly Member[];
  readonly tokens: readonly (readonly [id: string, token: UsedToken])[];
  readonly forgotten?: readonly (readonly [name: string, unixS: number])[];
  readonly succession?: SignedRecord;
}

export class Members {
  readonly #members = new Map<string, Member>();
  /** Hash of a static key -> identity. */
  readonly #byKey = new Map<string, string>();
  readonly #tokens = new Map<string, UsedToken>();
  /** Name -> when an operator had it forgotten last, unix seconds. */
  readonly #forgotten = new Map<string, number>();
  #succession: SignedRecord | null = null;

  get size(): number {
    return this.#members.size;
  }

  all(): Iterable<Member> {
    return this.#members.values();
  }

  get(identity: string): Member | undefined {
    return this.#members.get(identity);
  }

  /** The member with this node id. */
  ofNode(node: string): Member | undefined {
    for (const member of this.#members.values()) if (member.node === node) return member;
  }

  /** The member whose static key has this hash. */
  ofKey(hash: string): Member | undefined {
    return this.#members.get(this.#byKey.get(hash) ?? "");
  }

  named(name: string): Member | undefined {
    for (const member of this.#members.values()) if (member.name === name) return member;
  }

  /** Whose static key this is. */
  peerOf(staticKey: Uint8Array): Peer | null {
    const member = this.#members.get(this.#byKey.get(sha256Hex(staticKey)) ?? "");
    return member ? peerOfMember(member) : null;
  }

  /** Why this daemon cannot come in with this token; `null` where it can. */
  whyNot(member: Member, terms: TokenTerms, unixS: number): string | null {
    if (terms.role !== member.role) return `the token is for a ${terms.role}`;
    if ((member.node === undefined) === (member.role === "node")) return "a node has an id";
    if (unixS > terms.untilS) return "the token has expired";
    const used = this.#tokens.get(terms.id);
    if (used && used.identity !== member.identity) return "the token was used already";
    if (used && !this.#members.has(member.identity)) {
      return "it was forgotten; it needs a new token";
    }
    for (const other of this.#members.values()) {
      if (other.identity === member.identity) continue;
      if (other.name === member.name) return `the name ${member.name} is taken`;
      if (member.node !== undefined && other.node === member.node) return "its node id is taken";
    }
    return this.#members.size >= MEMBERS ? `there are ${MEMBERS} members already` : null;
  }

  /** Says whether the daemon is in already, just as it would come in now. */
  has(member: Member, terms: TokenTerms): boolean {
    const known = this.#members.get(member.identity);
    return this.#tokens.get(terms.id)?.identity === member.identity &&
      JSON.stringify(known) === JSON.stringify(member);
  }

  apply({ member, token, terms }: JoinEntry): void {
    const before = this.#members.get(member.identity);
    if (before) this.#byKey.delete(keyHash(before));
    this.#members.set(member.identity, member);
    this.#byKey.set(keyHash(member), member.identity);
    this.#tokens.set(terms.id, { untilS: terms.untilS, identity: member.identity });
    const unixS = Number(token.text.slice(token.text.lastIndexOf("|") + 1));
    for (const [id, used] of this.#tokens) {
      // Whoever comes with it now is told that it has expired.
      if (used.untilS < unixS - TOKEN_MEMORY_S) this.#tokens.delete(id);
    }
  }

  /** The word by which this log's conductor took the place of one that is lost. */
  get succession(): SignedRecord | null {
    return this.#succession;
  }

  succeed(signed: SignedRecord): void {
    this.#succession = signed;
  }

  /** Says whether a daemon of this name was forgotten after it was let in. */
  wasForgotten(name: string, admittedS: number): boolean {
    return (this.#forgotten.get(name) ?? -Infinity) >= admittedS;
  }

  /** Takes a daemon out; `undefined` where none has the name. */
  forget(name: string, unixS: number): Member | undefined {
    this.#forgotten.delete(name);
    this.#forgotten.set(name, unixS);
    if (this.#forgotten.size > MEMBERS) {
      this.#forgotten.delete(this.#forgotten.keys().next().value!);
    }
    const member = this.named(name);
    if (!member) return undefined;
    this.#members.delete(member.identity);
    this.#byKey.delete(keyHash(member));
    return member;
  }

  save(): MembersData {
    return {
      members: [...this.#members.values()],
      tokens: [...this.#tokens],
      forgotten: [...this.#forgotten],
      ...(this.#succession ? { succession: this.#succession } : {}),
    };
  }

  static load(data: MembersData | undefined): Members {
    const members = new Members();
    for (const member of data?.members ?? []) {
      members.#members.set(member.identity, member);
      members.#byKey.set(keyHash(member), member.identity);
    }
    for (const [id, token] of data?.tokens ?? []) members.#tokens.set(id, token);
    for (const [name, unixS] of data?.forgotten ?? []) members.#forgotten.set(name, unixS);
    members.#succession = data?.succession ?? null;
    return members;
  }
}

/** How long after its end a used token is remembered: clocks may differ, s. */
const TOKEN_MEMORY_S = 86_400;

function keyHash({ staticKey }: Member): string {
  return sha256Hex(Uint8Array.fromBase64(staticKey));
}

/** A daemon that wants to come in; its token's signature and its certificate are good. */
export interface PendingJoin {
  readonly request: JoinRequest;
  readonly terms: TokenTerms;
  readonly member: Member;
  /** Fingerprint of the operator who signed the token. */
  readonly key: string;
  /** From where, for the audit. */
  readonly address: string;
  /** It was let in by the conductor whose place this one took, and then, unix seconds. */
  readonly admittedS?: number;
}

/** The entry that lets it in. */
export function joinEntry(join: PendingJoin): JoinEntry {
  const { request, terms, member, key, address, admittedS } = join;
  const came = admittedS === undefined ? "joined" : "came over";
  const { token, signature, introduction } = request;
  return {
    kind: "join",
    member,
    terms,
    token: { text: token, signatureHex: signature, key },
    identityKey: introduction.identityKey,
    certificate: introduction.certificate,
    audit: `${member.role} ${member.name} ${came} from ${address}`,
  };
}
