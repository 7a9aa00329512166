// A daemon's place in the sealed mesh: how it came in, whom it knows, which conductor it follows.

import type { Address } from "../address.ts";
import { sha256Hex } from "../bytes.ts";
import type { Anchor } from "../chain.ts";
import { Failure } from "../errors.ts";
import type { Head } from "../log.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../limits.ts";
import {
  headOf,
  type JoinRequest,
  type JoinRole,
  type Member,
  type Membership,
  memberStreamShape,
  parseJoined,
  parseMember,
  parseTerms,
  peerOfMember,
  staticKeyBytes,
} from "../seal/member.ts";
import type { Peer, Role } from "../seal/primitives.ts";
import { parseShaped } from "../shape.ts";
import { conductorsOf, join, type JoinOptions, readToken } from "./join.ts";
import { logger } from "./log.ts";
import { membershipPath, readMembership, writeMembership } from "./membership_file.ts";
import { type Lookup, RosterSeal } from "./roster_seal.ts";
import { dialSealed } from "./sealed_channel.ts";
import { type MessageSocket, sealedFetch } from "./sealed_http.ts";
import { openSealKeys, type SealKeys } from "./seal_keys.ts";
import { sealUrl } from "./seal_url.ts";
import { findSuccessor } from "./successor.ts";

/** How often the conductor may be asked for a member, and how long it may take, ms. */
const LOOKUPS_PER_SECOND = 10;
const LOOKUP_MS = 2_000;

/** The seal of a tower, node or ingress. */
export class MemberSeal extends RosterSeal implements Disposable {
  readonly keys: SealKeys;
  readonly role: JoinRole;
  /** Public keys of the operators that the daemon was told of when it joined. */
  readonly operators: readonly Uint8Array[];
  readonly #path: string;
  readonly #conductors: readonly Address[];
  /** Which of them is spoken to. */
  #at = 0;
  #membership: Membership;
  readonly #members = new Map<string, Member>();
  readonly #byKey = new Map<string, Member>();
  readonly #listeners = new Set<(forgotten: string | null) => void>();
  #socket: MessageSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitMs = RETRY_MIN_MS;
  #closed = false;
  #lookedUpAt = 0;
  #lookedUp = 0;
  #complained = false;
  readonly #options: JoinOptions;
  /**
   * Says whether the operator of this key (raw, base64) may name another conductor: whoever signed
   * the token, where nothing better is known.
   */
  trusts: (publicKey: string) => boolean;

  private constructor(
    options: JoinOptions,
    keys: SealKeys,
    membership: Membership,
    conductors: readonly Address[],
  ) {
    super();
    this.keys = keys;
    this.#options = options;
    this.trusts = (publicKey) => publicKey === membership.operator;
    this.role = options.role;
    this.#path = membershipPath(options.state, options.role);
    this.#membership = membership;
    this.#conductors = conductors;
    this.operators = [Uint8Array.fromBase64(membership.operator)];
    for (const member of membership.members) this.#add(member);
    this.#dial();
  }

  /**
   * Opens the daemon's seal. A daemon that has not joined yet does so now, and waits for the
   * conductor as long as it takes.
   *
   * @throws {Failure} `not-joined` without a token; `bad-token`; `join` where the conductor refuses.
   */
  static async open(options: JoinOptions): Promise<MemberSeal> {
    const keys = await openSealKeys(options.state, options.role);
    const path = membershipPath(options.state, options.role);
    const known = await readMembership(path);
    const token = options.join === undefined ? null : await readToken(options.join);
    const terms = token && parseTerms(token.text);
    if (known && (!terms || terms.id === known.token)) {
      return new MemberSeal(options, keys, known, conductorsOf(options, known.address));
    }
    if (!token || !terms) {
      throw new Failure(
        "not-joined",
        `this ${options.role} belongs to no cluster yet: give --join TOKEN ` +
          `(skr8tr token create --role ${options.role}), or on a network you trust --mesh open`,
      );
    }
    const conductors = conductorsOf(options, token.address);
    const membership = await join(options, keys, token, conductors);
    await writeMembership(path, membership);
    return new MemberSeal(options, keys, membership, conductors);
  }

  /** The conductor's identity: nobody else is taken for it. */
  get conductor(): string {
    return this.#membership.conductor.identity;
  }

  /** Where the log ended when the token was made: nobody may show this daemon a shorter one. */
  get head(): Head {
    return headOf(this.#membership);
  }

  /** The same of its signed commands, for those who follow them. */
  get anchor(): Anchor | undefined {
    return this.#membership.anchor;
  }

  membersOf(role: Role): readonly Member[] {
    return [...this.#members.values()].filter((member) => member.role === role);
  }

  protected memberOf(identity: string): Member | undefined {
    return this.#members.get(identity);
  }

  admitMember(staticKey: Uint8Array): Peer | null {
    const member = this.#byKey.get(sha256Hex(staticKey));
    return member ? peerOfMember(member) : null;
  }

  /** For streams there is time to ask about one who is not in the roster that we follow. */
  override async admit(staticKey: Uint8Array, _payload: Uint8Array): Promise<Peer | null> {
    const known = this.admitMember(staticKey);
    if (known || this.role !== "node") return known;
    const member = await this.lookUp({ key: sha256Hex(staticKey) });
    return member && peerOfMember(member);
  }

  onChange(listener: (forgotten: string | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async lookUp(wanted: Lookup): Promise<Member | null> {
    for (const member of this.#members.values()) {
      if ("node" in wanted && member.node === wanted.node) return member;
    }
    // Strangers may make us ask; not more than this.
    const second = Math.floor(performance.now() / 1_000);
    if (second !== this.#lookedUpAt) [this.#lookedUpAt, this.#lookedUp] = [second, 0];
    if (++this.#lookedUp > LOOKUPS_PER_SECOND) return null;
    const query = new URLSearchParams(wanted as Record<string, string>);
    const { identity } = this.#membership.conductor;
    try {
      const signal = AbortSignal.timeout(LOOKUP_MS);
      const response = await this.fetch(this.#conductor, { identity }, `/member?${query}`, {
        signal,
      });
      const member = response.ok ? parseMember(await response.text()) : null;
      if (member) this.#add(member);
      return member;
    } catch {
      return null;
    }
  }

  get #conductor(): Address {
    return this.#conductors[this.#at]!;
  }

  #add(member: Member): void {
    const key = staticKeyBytes(member.staticKey);
    if (key === null) return;
    this.#remove(member.identity);
    this.#members.set(member.identity, member);
    this.#byKey.set(sha256Hex(key), member);
  }

  #remove(identity: string): void {
    const member = this.#members.get(identity);
    if (!member) return;
    this.#members.delete(identity);
    this.#byKey.delete(sha256Hex(staticKeyBytes(member.staticKey)!));
  }

  #dial(): void {
    if (this.#closed) return;
    const { identity } = this.#membership.conductor;
    const socket = this.socket(this.#conductor, { identity }, "/members");
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#waitMs = RETRY_MIN_MS;
    };
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = async () => {
      if (this.#closed || socket !== this.#socket) return;
      // Whoever is there now is perhaps not who was there.
      if (!opened) await this.#comeOver().catch((error) => this.#complain(error));
      if (this.#closed) return;
      this.#at = (this.#at + 1) % this.#conductors.length;
      this.#timer = setTimeout(() => this.#dial(), this.#waitMs);
      Deno.unrefTimer(this.#timer);
      this.#waitMs = Math.min(RETRY_MAX_MS, this.#waitMs * 2);
    };
  }

  /** Comes over to the conductor that an operator named in place of the one that is lost. */
  async #comeOver(): Promise<void> {
    const known = this.#membership;
    const { proof } = known;
    const found = proof &&
      await findSuccessor(this.#conductor, known, this.trusts).catch(() => null);
    if (!found) return;
    const { conductor, leadsS } = found;
    const responder = staticKeyBytes(conductor.staticKey)!;
    const dial = () => dialSealed(sealUrl(this.#conductor), { keys: this.keys, responder });
    const body = JSON.stringify({ ...this.#request(proof), admission: proof.admission });
    const response = await sealedFetch(dial, "/join", { method: "POST", body });
    const text = await response.text();
    const joined = response.ok ? parseJoined(text) : null;
    if (!joined) {
      throw new Failure(
        "join",
        `the conductor that took the place of ours lets us not in: ${text}`,
      );
    }
    this.#membership = { ...known, conductor, leadsS };
    for (const identity of [...this.#members.keys()]) this.#remove(identity);
    for (const member of [...joined.members, conductor]) this.#add(member);
    this.#membership = { ...this.#membership, members: [...this.#members.values()] };
    await writeMembership(this.#path, this.#membership);
    logger("seal").warn("follows another conductor from now on: {identity}", { ...conductor });
    for (const listener of this.#listeners) listener(known.conductor.identity);
  }

  #request({ token, signature }: NonNullable<Membership["proof"]>): JoinRequest {
    const { role, name, node } = this.#options;
    const { introduction } = this.keys;
    return { token, signature, role, name, introduction, ...(node === undefined ? {} : { node }) };
  }

  #complain(error: Error): void {
    if (!this.#complained) logger("seal").error("{error}", { error: error.message });
    this.#complained = true;
  }

  #hear(data: unknown): void {
    const message = typeof data === "string" ? parseShaped(memberStreamShape, data) : null;
    switch (message?.k) {
      case "members": {
        const now = new Set(message.members.map((member) => member.identity));
        for (const identity of [...this.#members.keys()]) {
          if (!now.has(identity)) this.#forget(identity);
        }
        for (const member of message.members) this.#add(member);
        break;
      }
      case "member":
        this.#add(message.member);
        break;
      case "forgotten":
        this.#forget(message.identity);
        break;
      default:
        return;
    }
    this.#membership = { ...this.#membership, members: [...this.#members.values()] };
    writeMembership(this.#path, this.#membership).catch((error) =>
      logger("seal").warn("the roster cannot be kept: {error}", { error: error.message })
    );
    for (const listener of this.#listeners) listener(null);
  }

  #forget(identity: string): void {
    // Whom the token named stays the conductor, whatever is said over its own stream.
    if (identity === this.#membership.conductor.identity) return;
    this.#remove(identity);
    for (const listener of this.#listeners) listener(identity);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }
}
