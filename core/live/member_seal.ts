// A daemon's place in the sealed mesh: its keys, how it came in, whom it knows.

import { type Address, CONDUCTOR_PORT, readAddresses, showAddress } from "../address.ts";
import { sha256Hex } from "../bytes.ts";
import type { Anchor } from "../chain.ts";
import { Failure } from "../errors.ts";
import type { Head } from "../log.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../limits.ts";
import {
  certificateText,
  headOf,
  isToken,
  type JoinRequest,
  type JoinRole,
  type JoinToken,
  type Member,
  type Membership,
  memberStreamShape,
  parseJoined,
  parseMember,
  parseMembership,
  parseTerms,
  parseToken,
  peerOfMember,
  staticKeyBytes,
} from "../seal/member.ts";
import type { Peer, Role } from "../seal/primitives.ts";
import { parseShaped } from "../shape.ts";
import { randomHex } from "./clock.ts";
import { createVerifier } from "./crypto.ts";
import { logger } from "./log.ts";
import { dialSealed } from "./sealed_channel.ts";
import {
  type Dial,
  type MessageSocket,
  sealedFetch,
  type SealedInit,
  type SealedServer,
  sealedSocket,
} from "./sealed_http.ts";
import { sealUrl } from "./seal_url.ts";
import { openSealKeys, type SealKeys } from "./seal_keys.ts";
import { findSuccessor } from "./successor.ts";

/** How a daemon comes in. */
export interface JoinOptions {
  /** The state folder: identity and membership are kept there. */
  readonly state: string;
  readonly role: JoinRole;
  readonly name: string;
  /** Of a node: its id. */
  readonly node?: string;
  /** A token, or a file that holds one. */
  readonly join?: string;
  /** The conductor's TCP port, where it is not the one of the token. */
  readonly conductor?: Address;
  /** Those of further conductors: whoever answers is followed. */
  readonly moreConductors?: readonly Address[];
}

/** Whom a daemon talks to through its seal, besides answering. */
export interface Seal extends SealedServer {
  readonly keys: SealKeys;
  /** Members by role, the newest last. */
  membersOf(role: Role): readonly Member[];
  admitMember(staticKey: Uint8Array): Peer | null;
  /**
   * Which member of this role is at the address: where there are several, it is found out by
   * talking to them. Nothing where nobody answers.
   */
  memberAt(at: Address, role: Role): Promise<Member | undefined>;
  /** Hears of every change of the roster; the function that comes back ends that. */
  onChange(listener: (forgotten: string | null) => void): () => void;
  /** Asks the conductor for a member that is not in the roster that it sends. */
  lookUp?(wanted: Lookup): Promise<Member | null>;
  fetch(at: Address, who: MemberWanted, path: string, init?: SealedInit): Promise<Response>;
  socket(at: Address, who: MemberWanted, path: string): MessageSocket;
}

/**
 * How a member is looked for: by its node id, by the hash of its static key, or by the `HOST:PORT`
 * at which a node says that it is reached.
 */
export type Lookup = { readonly node: string } | { readonly key: string } | { readonly at: string };

/** Who must be at the other end: a role, or one identity. */
export type MemberWanted = { readonly role: Role } | { readonly identity: string };

/** How often the conductor may be asked for a member, and how long it may take, ms. */
const LOOKUPS_PER_SECOND = 10;
const LOOKUP_MS = 2_000;

/** How long whoever dials waits for the other side to join, ms. */
const JOIN_WAIT_MS = 2_000;

/** Requests and streams to whoever is in a roster. */
export abstract class RosterSeal implements Seal {
  abstract readonly keys: SealKeys;
  abstract membersOf(role: Role): readonly Member[];
  abstract admitMember(staticKey: Uint8Array): Peer | null;
  abstract onChange(listener: (forgotten: string | null) => void): () => void;
  protected abstract memberOf(identity: string): Member | undefined;

  admit(staticKey: Uint8Array, _payload: Uint8Array): Peer | null | Promise<Peer | null> {
    return this.admitMember(staticKey);
  }

  fetch(at: Address, who: MemberWanted, path: string, init?: SealedInit): Promise<Response> {
    return sealedFetch(this.#dial(at, who), path, init);
  }

  socket(at: Address, who: MemberWanted, path: string): MessageSocket {
    return sealedSocket(this.#dial(at, who), path);
  }

  /** Address -> the identity that was found there, of several of one role. */
  readonly #places = new Map<string, string>();

  async memberAt(at: Address, role: Role): Promise<Member | undefined> {
    const all = this.membersOf(role);
    if (all.length < 2) return all[0];
    const place = showAddress(at);
    const known = all.find(({ identity }) => identity === this.#places.get(place));
    if (known) return known;
    for (const member of all.toReversed()) {
      const responder = staticKeyBytes(member.staticKey);
      if (!responder) continue;
      try {
        const channel = await dialSealed(sealUrl(at), { keys: this.keys, responder });
        channel.close();
      } catch (error) {
        if (error instanceof Failure) continue;
        throw error;
      }
      this.#places.set(place, member.identity);
      return member;
    }
    return undefined;
  }

  #dial(at: Address, who: MemberWanted): Dial {
    return async () => {
      const find = () =>
        "role" in who ? this.membersOf(who.role).at(-1) : this.memberOf(who.identity);
      const there = "role" in who ? await this.memberAt(at, who.role) : undefined;
      const member = there ?? find() ?? await this.#joined(find);
      const responder = member && staticKeyBytes(member.staticKey);
      if (!responder) {
        const what = "role" in who ? who.role : `identity ${who.identity.slice(0, 12)}`;
        throw new Failure("seal", `no ${what} has joined yet`);
      }
      try {
        return await dialSealed(sealUrl(at), { keys: this.keys, responder });
      } catch (error) {
        // Another may be there by now.
        this.#places.delete(showAddress(at));
        throw error;
      }
    };
  }

  /** Waits a while for somebody who may be about to join. */
  async #joined(find: () => Member | undefined): Promise<Member | undefined> {
    const changed = Promise.withResolvers<void>();
    const end = this.onChange(() => find() && changed.resolve());
    const timer = setTimeout(changed.resolve, JOIN_WAIT_MS);
    Deno.unrefTimer(timer);
    await changed.promise;
    clearTimeout(timer);
    end();
    return find();
  }
}

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

/** Where a daemon keeps what it knows of its cluster. */
export function membershipPath(state: string, role: JoinRole): string {
  return `${state}/${role}.membership.json`;
}

/** @throws {Failure} `bad-membership` */
export async function readMembership(path: string): Promise<Membership | null> {
  try {
    const membership = parseMembership(await Deno.readTextFile(path));
    if (membership) return membership;
    throw new Failure("bad-membership", `${path} is damaged: remove it and join anew`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

let writes = Promise.resolve();

/** Writes one after another, each whole or not at all. */
function writeMembership(path: string, membership: Membership): Promise<void> {
  const json = `${JSON.stringify(membership)}\n`;
  writes = writes.catch(() => {}).then(async () => {
    // Threads of one daemon may write at one time.
    const made = `${path}.${randomHex(8)}`;
    await Deno.writeTextFile(made, json, { mode: 0o600 });
    await Deno.rename(made, path);
  });
  return writes;
}

/** Reads what `--join` was given. @throws {Failure} `bad-token`. */
export async function readToken(join: string): Promise<JoinToken> {
  let word = join;
  if (!isToken(join)) {
    try {
      word = await Deno.readTextFile(join);
    } catch (error) {
      throw new Failure("bad-token", `cannot read the token ${join}: ${(error as Error).message}`);
    }
  }
  const token = parseToken(word);
  const terms = token && parseTerms(token.text);
  const key = token && staticKeyBytes(token.conductor.staticKey);
  if (!token || !terms || !key) throw new Failure("bad-token", "what --join was given is no token");
  const identityKey = Uint8Array.fromBase64(token.conductor.identityKey);
  const verifier = await createVerifier();
  const genuine = terms.staticHash === sha256Hex(key) &&
    terms.conductor === sha256Hex(identityKey) &&
    await verifier.verify(
      Uint8Array.fromBase64(token.operator),
      token.text,
      token.signature,
    ) &&
    await verifier.verify(identityKey, certificateText(key), token.conductor.certificate);
  if (!genuine) throw new Failure("bad-token", "the token was altered: it is not what was signed");
  return token;
}

/** What `--conductor HOST:PORT,...` of a daemon that joins says. @throws {Failure} `usage`. */
export function joinsAt(
  text: string | undefined,
): Pick<JoinOptions, "conductor" | "moreConductors"> {
  if (text === undefined) return {};
  const [conductor, ...moreConductors] = readAddresses(text, "conductor", CONDUCTOR_PORT);
  return { conductor: conductor!, moreConductors };
}

function conductorsOf(
  { conductor, moreConductors = [] }: JoinOptions,
  told: string,
): readonly Address[] {
  return [conductor ?? addressOf(told), ...moreConductors];
}

function addressOf(text: string): Address {
  const cut = text.lastIndexOf(":");
  return {
    hostname: text.slice(0, cut).replace(/^\[|\]$/g, ""),
    port: Number(text.slice(cut + 1)),
  };
}

async function join(
  options: JoinOptions,
  keys: SealKeys,
  token: JoinToken,
  conductors: readonly Address[],
): Promise<Membership> {
  const terms = parseTerms(token.text)!;
  if (terms.role !== options.role) {
    throw new Failure("bad-token", `the token is for a ${terms.role}, not for a ${options.role}`);
  }
  const responder = staticKeyBytes(token.conductor.staticKey)!;
  const request: JoinRequest = {
    token: token.text,
    signature: token.signature,
    role: options.role,
    name: options.name,
    ...(options.node === undefined ? {} : { node: options.node }),
    introduction: keys.introduction,
  };
  let waitMs = 10;
  for (let told = false, tries = 0;; tries++) {
    const conductor = conductors[tries % conductors.length]!;
    const dial = () => dialSealed(sealUrl(conductor), { keys, responder });
    try {
      const body = JSON.stringify(request);
      const response = await sealedFetch(dial, "/join", { method: "POST", body });
      const answer = await response.json();
      // It stands by: another of them may let us in.
      if (response.status === 503) throw new Failure("seal", answer.error);
      if (!response.ok) throw new Failure("join", `cannot join: ${answer.error}`);
      const self: Member = {
        role: "conductor",
        name: "conductor",
        identity: terms.conductor,
        staticKey: token.conductor.staticKey,
      };
      const membership = parseMembership(JSON.stringify({
        token: terms.id,
        conductor: self,
        operator: token.operator,
        head: terms.head,
        anchor: terms.anchor,
        leadsS: Number(token.text.slice(token.text.lastIndexOf("|") + 1)),
        proof: answer.admission &&
          { token: token.text, signature: token.signature, admission: answer.admission },
        address: token.address,
        members: answer.members,
      }));
      if (membership) return membership;
      throw new Failure("join", "the conductor's answer cannot be read");
    } catch (error) {
      if (!(error instanceof Failure) || error.code === "join") throw error;
      if (!told && waitMs > 1_000) {
        told = true;
        const { hostname, port } = conductor;
        logger("seal").warn("waits for the conductor at {hostname}:{port}", { hostname, port });
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      waitMs = Math.min(RETRY_MAX_MS, waitMs * 2);
    }
  }
}
