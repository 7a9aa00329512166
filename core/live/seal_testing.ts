// For tests: peers of the sealed mesh on a network that is made of one list of datagrams.

import { createHash } from "node:crypto";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import type { Address } from "../address.ts";
import type { Instant } from "../instant.ts";
import { createPrng, type Prng } from "../prng.ts";
import { type SealEffect, type SealEvent, SealMachine } from "../seal/machine.ts";
import {
  KEM_CIPHERTEXT_BYTES,
  KEM_PUBLIC_BYTES,
  type KemAnswer,
  type KemAnswers,
  type KemOperation,
  type Peer,
} from "../seal/primitives.ts";
import type { SessionLimits } from "../seal/session.ts";
import { nodeAead } from "./seal_primitives.ts";

/** Bytes of a seeded generator: never for keys outside tests. */
export function bytesFrom(prng: Prng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => prng.below(256));
}

/** ML-KEM-768, or something of its shape that is a thousand times faster and protects nothing. */
export interface SyncKem {
  pair(random: (length: number) => Uint8Array): { publicKey: Uint8Array; secret: unknown };
  perform(
    operations: readonly KemOperation[],
    random: (length: number) => Uint8Array,
  ): KemAnswers;
}

export const realKem: SyncKem = {
  pair(random) {
    const { publicKey, secretKey } = ml_kem768.keygen(random(64));
    return { publicKey, secret: secretKey };
  },
  perform(operations, random) {
    try {
      return operations.map((operation): KemAnswer => {
        if (operation.op === "keygen") return this.pair(random);
        if (operation.op === "encapsulate") {
          const made = ml_kem768.encapsulate(operation.publicKey, random(32));
          return { ciphertext: made.cipherText, shared: made.sharedSecret };
        }
        const { ciphertext, secret } = operation;
        return { shared: ml_kem768.decapsulate(ciphertext, secret as Uint8Array) };
      });
    } catch {
      return null;
    }
  },
};

const digest = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const all = new Uint8Array(length);
  all.set(bytes);
  return all;
}

/** As ML-KEM has it, a wrong ciphertext gives another secret and no error. */
export const toyKem: SyncKem = {
  pair(random) {
    const secret = random(32);
    return { publicKey: padded(digest(secret), KEM_PUBLIC_BYTES), secret };
  },
  perform(operations, random) {
    return operations.map((operation): KemAnswer => {
      if (operation.op === "keygen") return this.pair(random);
      if (operation.op === "encapsulate") {
        const ciphertext = padded(random(32), KEM_CIPHERTEXT_BYTES);
        const publicKey = operation.publicKey.subarray(0, 32);
        return { ciphertext, shared: digest(publicKey, ciphertext) };
      }
      const publicKey = digest(operation.secret as Uint8Array);
      return { shared: digest(publicKey, operation.ciphertext) };
    });
  },
};

export interface Flying {
  readonly bytes: Uint8Array;
  readonly from: Address;
  readonly to: Address;
}

/** A peer with its machine, which may be started anew with the same keys. */
export class TestPeer {
  readonly delivered: { readonly text: string; readonly from: Address }[] = [];
  readonly staticKey: Uint8Array;
  readonly secret: unknown;
  machine!: SealMachine;
  /** Added to the world's wall time: its clock is wrong by so much. */
  skewMs = 0;

  constructor(
    readonly world: TestWorld,
    readonly peer: Peer,
    readonly address: Address,
  ) {
    const pair = world.kem.pair(world.random);
    this.staticKey = pair.publicKey;
    this.secret = pair.secret;
    this.start();
  }

  /** Starts, or starts anew: all sessions are forgotten. */
  start(): void {
    const { world } = this;
    this.machine = new SealMachine({
      staticKey: this.staticKey,
      secret: this.secret,
      aead: nodeAead,
      random: world.random,
      admit: (key) => world.admitted.get(key.toHex()) ?? null,
      now: this.#now(),
      ...(world.limits ? { limits: world.limits } : {}),
    });
  }

  #now(): Instant {
    return { monoMs: this.world.nowMs, wallMs: 1e12 + this.world.nowMs + this.skewMs };
  }

  knows(other: TestPeer): this {
    const { address, staticKey, peer } = other;
    this.step({ on: "contact", address, staticKey, peer });
    return this;
  }

  send(text: string, to: Address): void {
    this.step({ on: "send", text: new TextEncoder().encode(text), to });
  }

  step(event: SealEvent): void {
    for (const effect of this.machine.step(event, this.#now())) this.#perform(effect);
  }

  #perform(effect: SealEffect): void {
    switch (effect.do) {
      case "transmit":
        this.world.flying.push({ bytes: effect.bytes, from: this.address, to: effect.to });
        return;
      case "deliver":
        this.delivered.push({ text: new TextDecoder().decode(effect.text), from: effect.from });
        return;
      case "stranger":
      case "met":
        return;
      case "kem": {
        const answers = this.world.kem.perform(effect.operations, this.world.random);
        this.step({ on: "kem", ticket: effect.ticket, answers });
        return;
      }
    }
  }
}

/** All peers, the datagrams between them, and a clock. */
export class TestWorld {
  nowMs = 1_000;
  readonly peers: TestPeer[] = [];
  readonly flying: Flying[] = [];
  readonly admitted = new Map<string, Peer>();
  readonly random: (length: number) => Uint8Array;
  /** Every datagram that was ever on the network. */
  readonly seen: Uint8Array[] = [];

  constructor(
    seed: number,
    readonly kem: SyncKem = toyKem,
    readonly limits?: SessionLimits,
  ) {
    const prng = createPrng(seed);
    this.random = (length) => bytesFrom(prng, length);
  }

  /** An admitted peer at 10.0.0.N. */
  peer(role: Peer["role"], options: { readonly admitted?: boolean } = {}): TestPeer {
    const number = this.peers.length + 1;
    const identity = number.toString(16).padStart(64, "0");
    const peer: Peer = {
      role,
      name: `${role}-${number}`,
      identity,
      ...(role === "node" ? { node: identity.slice(32) } : {}),
    };
    const made = new TestPeer(this, peer, { hostname: `10.0.0.${number}`, port: 7_770 });
    this.peers.push(made);
    if (options.admitted ?? true) this.admitted.set(made.staticKey.toHex(), peer);
    return made;
  }

  /** Hands over one datagram. */
  hand({ bytes, from, to }: Flying): void {
    this.seen.push(bytes.slice());
    const there = this.peers.find(({ address }) =>
      address.hostname === to.hostname && address.port === to.port
    );
    there?.step({ on: "datagram", bytes, from });
  }

  /** Hands over all that flies, and what that brings about, while `passes` says so. */
  settle(passes: (flying: Flying) => boolean = () => true): void {
    for (let next; (next = this.flying.shift());) if (passes(next)) this.hand(next);
  }

  /** Lets time pass in steps, with ticks. */
  pass(ms: number, passes: (flying: Flying) => boolean = () => true): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(endMs, this.nowMs + 50);
      for (const peer of this.peers) peer.step({ on: "tick" });
      this.settle(passes);
    }
  }
}
