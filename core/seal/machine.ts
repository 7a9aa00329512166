/**
 * The sealed mesh between daemons, over datagrams: whoever is not admitted is not heard, and nobody
 * in between can read, forge, repeat or redirect anything. docs/SEAL.md describes the protocol.
 *
 * The machine takes plain texts and hands out sealed datagrams, and the other way round. What it
 * delivers is as unreliable as a datagram always was (lost, late, out of order), but each comes from
 * the peer that is named with it, was meant for us, and is delivered once.
 */

import type { Address } from "../address.ts";
import type { Instant } from "../instant.ts";
import {
  RETRY_MAX_MS,
  RETRY_MIN_MS,
  SEAL_CLOCK_MS,
  SEAL_FIRST_MS,
  SEAL_GREET_MS,
  SEAL_OLD_SESSIONS,
  SEAL_PEERS,
  SEAL_QUEUE,
  SEAL_SILENCE_MS,
  SEAL_SILENCE_SENT,
  SEAL_STALE_PER_SECOND,
  SEAL_TAKEN,
  SEAL_UNCONFIRMED,
} from "../limits.ts";
import { sha256Hex } from "../bytes.ts";
import { Gate, Marks } from "./gate.ts";
import { concat, isSame } from "./noise.ts";
import {
  NO_TOKEN,
  type Packet,
  parsePacket,
  readFirstPayload,
  writeFirst,
  writeFirstPayload,
  writeRetry,
  writeSecond,
  writeStale,
} from "./packets.ts";
import { type Encapsulated, Initiator, Responder } from "./pqik.ts";
import type { Aead, KemAnswers, KemOperation, KemSecret, Peer } from "./primitives.ts";
import { Session, SESSION_LIMITS, type SessionLimits } from "./session.ts";

export type SealEvent =
  | { readonly on: "datagram"; readonly bytes: Uint8Array; readonly from: Address }
  /** A text for `to.peer`, or for the contact at this address; for nobody else there. */
  | { readonly on: "send"; readonly text: Uint8Array; readonly to: Address }
  /** This peer is reached at this address, and is greeted when there is something to say. */
  | {
    readonly on: "contact";
    readonly address: Address;
    readonly staticKey: Uint8Array;
    readonly peer: Peer;
  }
  /** Nobody is reached at this address any more. */
  | { readonly on: "no-contact"; readonly address: Address }
  /** This identity is no longer admitted. */
  | { readonly on: "forget"; readonly identity: string }
  /** The answers to the operations of a `kem` effect. */
  | { readonly on: "kem"; readonly ticket: number; readonly answers: KemAnswers }
  | { readonly on: "tick" };

export type SealEffect =
  | { readonly do: "transmit"; readonly bytes: Uint8Array; readonly to: Address }
  /** `from.peer` is who said it. */
  | { readonly do: "deliver"; readonly text: Uint8Array; readonly from: Address }
  | { readonly do: "kem"; readonly ticket: number; readonly operations: readonly KemOperation[] }
  /** A well-formed first message of a key that is not admitted: perhaps it only just was. */
  | { readonly do: "stranger"; readonly staticKey: Uint8Array }
  /** A handshake was completed; `greeted`: we had begun it. */
  | { readonly do: "met"; readonly peer: Peer; readonly greeted: boolean };

export interface SealOptions {
  readonly staticKey: Uint8Array;
  readonly secret: KemSecret;
  readonly aead: Aead;
  /** Unpredictable bytes. */
  random(length: number): Uint8Array;
  /** Whom this static key belongs to, if it is admitted. */
  admit(staticKey: Uint8Array): Peer | null;
  readonly limits?: SessionLimits;
  readonly now: Instant;
}

/** What happened so far, for `/metrics`. */
export interface SealCounters {
  delivered: number;
  sent: number;
  /** Handshakes completed. */
  met: number;
  /** Not sealed by a session that we know, or altered. */
  forged: number;
  /** Of a session that we know, and taken before, or too old to tell. */
  replayed: number;
  /** Well-formed first messages of keys that are not admitted. */
  strangers: number;
  retries: number;
  /** For an address at which nobody is known, or from a queue that was full. */
  unsent: number;
}

/** A handshake that we have begun. */
interface Greeting {
  readonly index: number;
  readonly startedMs: number;
  readonly initiator: Initiator;
  readonly ephemeral: KemSecret;
  /** All but the token. */
  readonly marked: Uint8Array;
  readonly mark: Uint8Array;
  token: Uint8Array;
  waitMs: number;
  nextMs: number;
  /** A second message is being worked on. */
  busy: boolean;
}

/** A peer, and all sessions with it. */
interface Link {
  readonly peer: Peer;
  readonly staticKey: Uint8Array;
  readonly marks: Marks;
  contact: Address | null;
  /** Where it was heard last. */
  address: Address | null;
  /** Confirmed ones, the newest first. */
  sessions: Session[];
  unconfirmed: Session[];
  /** `"begun"` while the KEM makes its keys. */
  greeting: Greeting | "begun" | null;
  greetedMs: number;
  /** The token that the peer wants to see in our first messages. */
  token: Uint8Array;
  queue: Uint8Array[];
  /** Time in its last first message that was accepted, and that message's mark and answer. */
  firstWallMs: number;
  answered: { readonly mark: string; readonly second: Uint8Array } | null;
  /** Marks of its first messages that came with a token and were accepted, newest last. */
  taken: string[];
  /** When it last asked for a token. */
  retriedMs: number;
  /** Since when something sent to it is unanswered, and how much. */
  unansweredMs: number | null;
  unanswered: number;
  /** Which part of the full time its sessions live: no two peers change keys at one moment. */
  readonly share: number;
}

const EMPTY = new Uint8Array();

export class SealMachine {
  readonly counters: SealCounters = {
    delivered: 0,
    sent: 0,
    met: 0,
    forged: 0,
    replayed: 0,
    strangers: 0,
    retries: 0,
    unsent: 0,
  };
  /** Sessions that are heard now, with all peers together. */
  get sessions(): number {
    return this.#sessions.size;
  }

  readonly #options: SealOptions;
  readonly #limits: SessionLimits;
  readonly #gate: Gate;
  readonly #links = new Map<string, Link>();
  /** Address -> who is reached there, as we were told: never as we were addressed from there. */
  readonly #at = new Map<string, Link>();
  /** Our index -> the session or greeting that it names. */
  readonly #sessions = new Map<number, readonly [Link, Session]>();
  readonly #greetings = new Map<number, Link>();
  readonly #jobs = new Map<number, (answers: KemAnswers, now: Instant) => void>();
  /** Marks of first messages that are being worked on: a repetition costs nothing. */
  readonly #working = new Set<string>();
  #ticket = 0;
  #staleSecond = 0;
  #stale = 0;
  #sweptMs: number;
  #out: SealEffect[] = [];

  constructor(options: SealOptions) {
    this.#options = options;
    this.#limits = options.limits ?? SESSION_LIMITS;
    this.#gate = new Gate(options.staticKey, options.random, options.now.monoMs);
    this.#sweptMs = options.now.monoMs;
  }

  /** Sessions that are held. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Says whether a text for this address alone would go to somebody. */
  knows(address: Address): boolean {
    return this.#at.has(keyOf(address));
  }

  /** When `tick` is wanted at the latest; `Infinity` for never. */
  wakeMonoMs(): number {
    let first = this.#sessions.size > 0 ? this.#sweptMs + SWEEP_MS : Infinity;
    for (const { greeting } of this.#greetings.values()) {
      if (greeting !== null && greeting !== "begun") first = Math.min(first, greeting.nextMs);
    }
    return first;
  }

  step(event: SealEvent, now: Instant): SealEffect[] {
    this.#out = [];
    switch (event.on) {
      case "datagram":
        this.#datagram(event.bytes, event.from, now);
        break;
      case "send":
        this.#send(event.text, event.to, now);
        break;
      case "contact":
        this.#contact(event, now);
        break;
      case "no-contact":
        this.#noContact(event.address);
        break;
      case "forget": {
        const link = this.#links.get(event.identity);
        if (link) this.#drop(link);
        break;
      }
      case "kem": {
        const job = this.#jobs.get(event.ticket);
        this.#jobs.delete(event.ticket);
        job?.(event.answers, now);
        break;
      }
      case "tick":
        this.#tick(now);
        break;
      default:
        event satisfies never;
    }
    return this.#out;
  }

  // ---- Peers --------------------------------------------------------------------------------------

  #contact(event: Extract<SealEvent, { on: "contact" }>, now: Instant): void {
    const { address, staticKey, peer } = event;
    let link = this.#links.get(peer.identity);
    if (link && !isSame(link.staticKey, staticKey)) {
      this.#drop(link);
      link = undefined;
    }
    link ??= this.#link(peer, staticKey);
    const before = link.contact;
    link.contact = address;
    if (before) this.#unmap(before, link);
    // What was said to this address before anybody was known there is not lost.
    this.#at.set(keyOf(address), link);
    if (link.queue.length > 0) this.#greet(link, now);
  }

  #noContact(address: Address): void {
    const link = this.#at.get(keyOf(address));
    if (!link) return;
    this.#unmap(address, link);
    link.contact = null;
  }

  #link(peer: Peer, staticKey: Uint8Array): Link {
    const [chance = 0] = this.#options.random(1);
    const link: Link = {
      peer,
      staticKey,
      marks: new Marks(staticKey),
      contact: null,
      address: null,
      sessions: [],
      unconfirmed: [],
      greeting: null,
      greetedMs: -Infinity,
      token: NO_TOKEN,
      queue: [],
      firstWallMs: -Infinity,
      answered: null,
      taken: [],
      retriedMs: -Infinity,
      unansweredMs: null,
      unanswered: 0,
      share: 0.75 + chance / 1_024,
    };
    this.#links.set(peer.identity, link);
    return link;
  }

  #drop(link: Link): void {
    for (const session of [...link.sessions, ...link.unconfirmed]) {
      this.#sessions.delete(session.index);
    }
    this.#endGreeting(link);
    link.sessions = [];
    link.unconfirmed = [];
    link.queue = [];
    this.#links.delete(link.peer.identity);
    if (link.contact) this.#unmap(link.contact, link);
  }

  #unmap(address: Address, link: Link): void {
    if (this.#at.get(keyOf(address)) === link) this.#at.delete(keyOf(address));
  }

  // ---- Out ----------------------------------------------------------------------------------------

  #send(text: Uint8Array, to: Address, now: Instant): void {
    const link = to.peer ? this.#links.get(to.peer.identity) : this.#at.get(keyOf(to));
    if (!link) {
      this.counters.unsent++;
      return;
    }
    const session = this.#newest(link, now);
    if (!session) {
      link.queue.push(text);
      if (link.queue.length > SEAL_QUEUE) {
        link.queue.shift();
        this.counters.unsent++;
      }
      this.#greet(link, now);
      return;
    }
    this.#transmit(link, session, text, to, now);
    const silent = link.unansweredMs !== null && link.unanswered > SEAL_SILENCE_SENT &&
      now.monoMs - link.unansweredMs >= SEAL_SILENCE_MS;
    if (silent || session.isWorn(now.monoMs, link.share)) this.#greet(link, now);
  }

  #transmit(link: Link, session: Session, text: Uint8Array, to: Address, now: Instant): void {
    link.unansweredMs ??= now.monoMs;
    link.unanswered++;
    this.counters.sent++;
    this.#emit({ do: "transmit", bytes: session.seal(text), to });
  }

  /** The session that is spoken on: the newest of which both sides know. */
  #newest(link: Link, now: Instant): Session | undefined {
    while (link.sessions[0]?.isOver(now.monoMs)) {
      this.#sessions.delete(link.sessions.shift()!.index);
    }
    return link.sessions[0];
  }

  #flush(link: Link, session: Session, now: Instant): boolean {
    const to = link.address ?? link.contact;
    if (to === null || link.queue.length === 0) return false;
    for (const text of link.queue) this.#transmit(link, session, text, to, now);
    link.queue = [];
    return true;
  }

  #emit(effect: SealEffect): void {
    this.#out.push(effect);
  }

  #work(
    operations: readonly KemOperation[],
    then: (answers: NonNullable<KemAnswers>, now: Instant) => void,
    failed: () => void = () => {},
  ): void {
    const ticket = this.#ticket++;
    this.#jobs.set(ticket, (answers, now) => answers === null ? failed() : then(answers, now));
    this.#emit({ do: "kem", ticket, operations });
  }

  #newIndex(): number {
    for (;;) {
      const bytes = this.#options.random(4);
      const index = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      if (!this.#sessions.has(index) && !this.#greetings.has(index)) return index;
    }
  }

  // ---- Greeting a peer ----------------------------------------------------------------------------

  /** Begins a handshake, unless one is under way or has just been. */
  #greet(link: Link, now: Instant): void {
    if (link.contact === null || link.greeting !== null) return;
    if (now.monoMs - link.greetedMs < SEAL_GREET_MS) return;
    link.greetedMs = now.monoMs;
    link.greeting = "begun";
    this.#work(
      [{ op: "keygen" }, { op: "encapsulate", publicKey: link.staticKey }],
      ([own, encapsulated], now) => {
        const ephemeral = own as { publicKey: Uint8Array; secret: KemSecret };
        this.#firstWord(link, ephemeral, encapsulated as Encapsulated, now);
      },
      () => link.greeting = null,
    );
  }

  #firstWord(
    link: Link,
    ephemeral: { readonly publicKey: Uint8Array; readonly secret: KemSecret },
    encapsulated: Encapsulated,
    now: Instant,
  ): void {
    if (link.greeting !== "begun" || link.contact === null) {
      link.greeting = null;
      return;
    }
    const { handshake, message } = Initiator.write({
      aead: this.#options.aead,
      staticKey: this.#options.staticKey,
      responder: link.staticKey,
      encapsulated,
      ephemeral: ephemeral.publicKey,
      payload: writeFirstPayload(now.wallMs, link.token),
    });
    const index = this.#newIndex();
    const marked = writeFirst(index, message);
    const greeting: Greeting = {
      index,
      startedMs: now.monoMs,
      initiator: handshake,
      ephemeral: ephemeral.secret,
      marked,
      mark: link.marks.first(marked),
      token: link.token,
      waitMs: RETRY_MIN_MS,
      nextMs: now.monoMs + RETRY_MIN_MS,
      busy: false,
    };
    link.greeting = greeting;
    this.#greetings.set(index, link);
    this.#sayFirst(greeting, link.contact);
  }

  #sayFirst({ marked, mark, token }: Greeting, to: Address): void {
    this.#emit({ do: "transmit", bytes: concat(marked, mark, token), to });
  }

  #endGreeting(link: Link): void {
    if (link.greeting !== null && link.greeting !== "begun") {
      this.#greetings.delete(link.greeting.index);
    }
    link.greeting = null;
  }

  #tick(now: Instant): void {
    for (const link of [...this.#greetings.values()]) {
      const { greeting } = link;
      if (greeting === null || greeting === "begun" || now.monoMs < greeting.nextMs) continue;
      const wanted = link.queue.length > 0 || link.unansweredMs !== null ||
        link.sessions[0]?.isWorn(now.monoMs, link.share);
      if (link.contact === null || !wanted) {
        this.#endGreeting(link);
      } else if (now.monoMs - greeting.startedMs >= SEAL_FIRST_MS) {
        this.#endGreeting(link);
        this.#greet(link, now);
      } else {
        greeting.waitMs = Math.min(RETRY_MAX_MS, greeting.waitMs * 2);
        greeting.nextMs = now.monoMs + greeting.waitMs;
        this.#sayFirst(greeting, link.contact);
      }
    }
    if (now.monoMs - this.#sweptMs >= SWEEP_MS) this.#sweep(now);
  }

  /** Forgets sessions that are over, and peers of which nothing is left. */
  #sweep(now: Instant): void {
    this.#sweptMs = now.monoMs;
    for (const [index, [link, session]] of this.#sessions) {
      if (!session.isOver(now.monoMs)) continue;
      this.#sessions.delete(index);
      link.sessions = link.sessions.filter((each) => each !== session);
      link.unconfirmed = link.unconfirmed.filter((each) => each !== session);
      const idle = link.sessions.length === 0 && link.unconfirmed.length === 0;
      if (idle && link.contact === null && link.greeting === null) this.#drop(link);
    }
  }

  // ---- In -----------------------------------------------------------------------------------------

  #datagram(bytes: Uint8Array, from: Address, now: Instant): void {
    const packet = parsePacket(bytes);
    switch (packet?.kind) {
      case "data":
        return this.#data(packet, from, now);
      case "first":
        return this.#first(packet, from, now);
      case "second":
        return this.#second(packet, from, now);
      case "retry":
        return this.#retry(packet, now);
      case "stale":
        return this.#staleSession(packet, from, now);
      case undefined:
        this.counters.forged++;
        return;
      default:
        packet satisfies undefined;
    }
  }

  #data(packet: Extract<Packet, { kind: "data" }>, from: Address, now: Instant): void {
    const known = this.#sessions.get(packet.receiver);
    if (!known || known[1].isOver(now.monoMs)) return this.#tellStale(packet, from, now);
    const [link, session] = known;
    const fresh = session.isFresh(packet);
    const opened = fresh ? session.open(packet) : null;
    if (opened === null) {
      this.counters[fresh ? "forged" : "replayed"]++;
      return;
    }
    link.unansweredMs = null;
    link.unanswered = 0;
    const where = { hostname: from.hostname, port: from.port, peer: link.peer };
    if (!session.confirmed) this.#confirm(link, session);
    if (session === link.sessions[0] && opened.newest) link.address = where;
    this.#flush(link, session, now);
    if (opened.text.length === 0) return;
    this.counters.delivered++;
    this.#emit({ do: "deliver", text: opened.text, from: where });
  }

  /** The initiator holds the keys: from here on we speak on this session, too. */
  #confirm(link: Link, session: Session): void {
    session.confirmed = true;
    link.unconfirmed = link.unconfirmed.filter((each) => each !== session);
    this.#adopt(link, session, false);
  }

  #adopt(link: Link, session: Session, greeted: boolean): void {
    link.sessions.unshift(session);
    while (link.sessions.length > 1 + SEAL_OLD_SESSIONS) {
      this.#sessions.delete(link.sessions.pop()!.index);
    }
    this.counters.met++;
    this.#emit({ do: "met", peer: link.peer, greeted });
  }

  #tellStale(
    { receiver, counter }: Extract<Packet, { kind: "data" }>,
    to: Address,
    now: Instant,
  ): void {
    this.counters.forged++;
    const second = Math.floor(now.monoMs / 1_000);
    if (second !== this.#staleSecond) {
      this.#staleSecond = second;
      this.#stale = 0;
    }
    if (++this.#stale > SEAL_STALE_PER_SECOND) return;
    this.#emit({ do: "transmit", bytes: writeStale(receiver, counter), to });
  }

  /**
   * The peer says that it does not know the session we speak on. Anybody could say so: it costs us
   * one handshake now and then, and nothing is given up for it.
   */
  #staleSession(
    { receiver, counter }: Extract<Packet, { kind: "stale" }>,
    from: Address,
    now: Instant,
  ): void {
    const link = this.#at.get(keyOf(from));
    const session = link?.sessions[0];
    if (!link || session?.remoteIndex !== receiver || counter >= session.sent) return;
    link.unansweredMs ??= now.monoMs;
    this.#greet(link, now);
  }

  // ---- Being greeted ------------------------------------------------------------------------------

  #first(packet: Extract<Packet, { kind: "first" }>, from: Address, now: Instant): void {
    const verdict = this.#gate.judge(packet, from, this.#working.size, now.monoMs);
    if (verdict === "drop") {
      this.counters.forged++;
      return;
    }
    if (verdict === "retry") return this.#askAgain(packet, from, now);
    const mark = packet.mark.toHex();
    const ciphertext = Responder.ciphertextOf(packet.message);
    if (ciphertext === null || this.#working.has(mark)) return;
    this.#working.add(mark);
    const done = () => void this.#working.delete(mark);
    // What is kept over the wait must not be a view of a buffer that is used again.
    const first = { ...packet, message: packet.message.slice(), mark: packet.mark.slice() };
    this.#work(
      [{ op: "decapsulate", secret: this.#options.secret, ciphertext: ciphertext.slice() }],
      ([answer], now) => {
        const { shared } = answer as { shared: Uint8Array };
        const { aead, staticKey } = this.#options;
        const responder = Responder.read({ aead, staticKey, message: first.message, shared });
        if (responder === null) this.counters.forged++;
        if (responder === null || !this.#answer(responder, first, mark, from, now)) done();
      },
      done,
    );
  }

  /** Goes on with a first message that is authentic; false if that was all. */
  #answer(
    responder: Responder,
    first: Extract<Packet, { kind: "first" }>,
    mark: string,
    from: Address,
    now: Instant,
  ): boolean {
    const said = readFirstPayload(responder.payload);
    const peer = said && this.#options.admit(responder.staticKey);
    if (!said || !peer) {
      this.counters.strangers++;
      if (said) this.#emit({ do: "stranger", staticKey: responder.staticKey });
      return false;
    }
    let link = this.#links.get(peer.identity);
    if (link && !isSame(link.staticKey, responder.staticKey)) {
      this.#drop(link);
      link = undefined;
    }
    if (!link && this.#links.size >= SEAL_PEERS) return false;
    link ??= this.#link(peer, responder.staticKey);
    if (link.answered?.mark === mark) {
      // It has not heard our answer.
      this.#emit({ do: "transmit", bytes: link.answered.second, to: from });
      return false;
    }
    if (!this.#isNew(said, mark, link, from, now)) {
      this.#askAgain(first, from, now);
      return false;
    }
    link.firstWallMs = Math.max(link.firstWallMs, said.wallMs);
    link.taken.push(mark);
    if (link.taken.length > SEAL_TAKEN) link.taken.shift();
    const { ephemeral, staticKey } = responder;
    const known = link;
    this.#work(
      [{ op: "encapsulate", publicKey: ephemeral }, { op: "encapsulate", publicKey: staticKey }],
      ([toEphemeral, toStatic], now) => {
        this.#working.delete(mark);
        if (this.#links.get(peer.identity) !== known) return;
        const { message, keys } = responder.write({
          toEphemeral: toEphemeral as Encapsulated,
          toStatic: toStatic as Encapsulated,
          payload: EMPTY,
        });
        const index = this.#newIndex();
        const session = this.#session(keys, index, first.sender, false, now);
        this.#sessions.set(index, [known, session]);
        known.unconfirmed.push(session);
        if (known.unconfirmed.length > SEAL_UNCONFIRMED) {
          this.#sessions.delete(known.unconfirmed.shift()!.index);
        }
        const second = writeSecond(first.sender, index, message);
        known.answered = { mark, second };
        this.#emit({ do: "transmit", bytes: second, to: from });
      },
      () => this.#working.delete(mark),
    );
    return true;
  }

  /**
   * A first message is no repetition if it is later than all before and its time near our clock, or
   * if it carries a token that we gave a moment ago: so a peer with a wrong clock comes in, too.
   */
  #isNew(
    said: { readonly wallMs: number; readonly token: Uint8Array },
    mark: string,
    link: Link,
    from: Address,
    now: Instant,
  ): boolean {
    if (!isSame(said.token, NO_TOKEN) && this.#gate.isToken(said.token, from, now.monoMs)) {
      return !link.taken.includes(mark);
    }
    return Math.abs(said.wallMs - now.wallMs) <= SEAL_CLOCK_MS && said.wallMs > link.firstWallMs;
  }

  #askAgain(first: Extract<Packet, { kind: "first" }>, to: Address, now: Instant): void {
    this.counters.retries++;
    const token = this.#gate.token(to, now.monoMs);
    const mark = this.#gate.retryMark(first, token);
    this.#emit({ do: "transmit", bytes: writeRetry(first.sender, token, mark), to });
  }

  #session(
    keys: ConstructorParameters<typeof Session>[1],
    index: number,
    remoteIndex: number,
    initiator: boolean,
    now: Instant,
  ): Session {
    const { aead } = this.#options;
    return new Session(aead, keys, index, remoteIndex, initiator, now.monoMs, this.#limits);
  }

  // ---- The answers to our greetings ---------------------------------------------------------------

  /** The responder wants to see a token: the greeting is made anew around it. */
  #retry({ receiver, token, mark }: Extract<Packet, { kind: "retry" }>, now: Instant): void {
    const link = this.#greetings.get(receiver);
    const greeting = link?.greeting;
    if (!link || !greeting || greeting === "begun" || isSame(greeting.token, token)) return;
    if (now.monoMs - link.retriedMs < SEAL_GREET_MS) return;
    if (!isSame(link.marks.retry(greeting.mark, token), mark)) {
      this.counters.forged++;
      return;
    }
    link.retriedMs = now.monoMs;
    link.token = token.slice();
    this.#endGreeting(link);
    link.greetedMs = -Infinity;
    this.#greet(link, now);
  }

  #second(packet: Extract<Packet, { kind: "second" }>, from: Address, _now: Instant): void {
    const link = this.#greetings.get(packet.receiver);
    const greeting = link?.greeting;
    const message = packet.message.slice();
    const ciphertext = Initiator.ephemeralOf(message);
    if (!link || !greeting || greeting === "begun" || greeting.busy || ciphertext === null) return;
    greeting.busy = true;
    const forged = () => {
      greeting.busy = false;
      this.counters.forged++;
    };
    const decapsulate = (secret: KemSecret, ciphertext: Uint8Array): KemOperation[] => [
      { op: "decapsulate", secret, ciphertext },
    ];
    const { secret } = this.#options;
    this.#work(decapsulate(greeting.ephemeral, ciphertext), ([answer]) => {
      const read = greeting.initiator.read(message, (answer as { shared: Uint8Array }).shared);
      if (read === null) return forged();
      this.#work(decapsulate(secret, read.ciphertext), ([answer], now) => {
        const finished = read.finish((answer as { shared: Uint8Array }).shared);
        if (finished === null) return forged();
        if (link.greeting !== greeting) return;
        this.#endGreeting(link);
        const { keys } = finished;
        const session = this.#session(keys, greeting.index, packet.sender, true, now);
        this.#sessions.set(greeting.index, [link, session]);
        this.#adopt(link, session, true);
        link.unansweredMs = null;
        const to = link.contact ?? from;
        // With the first datagram the responder knows that we hold the keys.
        if (!this.#flush(link, session, now)) this.#transmit(link, session, EMPTY, to, now);
        link.unansweredMs = null;
        link.unanswered = 0;
      }, forged);
    }, forged);
  }
}

/** How often sessions that are over are looked for, ms. */
const SWEEP_MS = 10_000;

function keyOf({ hostname, port }: Address): string {
  return `${hostname} ${port}`;
}

/** What names a static key in rosters. */
export function staticKeyName(staticKey: Uint8Array): string {
  return sha256Hex(staticKey);
}
