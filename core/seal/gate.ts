// Who may begin a handshake: what a first message costs before its sender has proved anything.

import { type Address } from "../address.ts";
import { toBytes } from "../bytes.ts";
import {
  SEAL_FIRSTS_FREE,
  SEAL_FIRSTS_LOOKED_AT,
  SEAL_FIRSTS_PROVED,
  SEAL_TOKEN_MS,
  SEAL_WORK,
  SOURCES,
} from "../limits.ts";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, hmacSha256, isSame } from "./noise.ts";
import { MARK_BYTES, NO_TOKEN, type Packet, TOKEN_BYTES } from "./packets.ts";

type First = Extract<Packet, { kind: "first" }>;

/** Keys for the marks: whoever knows the responder's static key can make them, nobody else. */
export class Marks {
  readonly #first: Uint8Array;
  readonly #retry: Uint8Array;

  constructor(responderStatic: Uint8Array) {
    this.#first = sha256(concat(toBytes("skr8tr seal 1 first"), responderStatic));
    this.#retry = sha256(concat(toBytes("skr8tr seal 1 retry"), responderStatic));
  }

  /** The mark of a first message. */
  first(marked: Uint8Array): Uint8Array {
    return hmacSha256(this.#first, marked).subarray(0, MARK_BYTES);
  }

  /** The mark of a retry that answers the first message with this mark. */
  retry(firstMark: Uint8Array, token: Uint8Array): Uint8Array {
    return hmacSha256(this.#retry, concat(firstMark, token)).subarray(0, MARK_BYTES);
  }
}

/** What is to be done with a first message. */
export type Verdict = "work" | "retry" | "drop";

/**
 * Bounds the work that first messages make. A token proves that its sender can be reached at its
 * address, and that it spoke to us a moment ago. Nothing is remembered of those that have none.
 */
export class Gate {
  readonly #marks: Marks;
  readonly #random: (length: number) => Uint8Array;
  #secret: Uint8Array;
  #before: Uint8Array;
  #secretMs: number;
  #second = 0;
  #lookedAt = 0;
  #free = 0;
  readonly #proved = new Map<string, number>();

  constructor(staticKey: Uint8Array, random: (length: number) => Uint8Array, nowMs: number) {
    this.#marks = new Marks(staticKey);
    this.#random = random;
    this.#secret = random(32);
    this.#before = random(32);
    this.#secretMs = nowMs;
  }

  /** @param work handshakes that are being worked on now */
  judge(first: First, from: Address, work: number, nowMs: number): Verdict {
    this.#turn(nowMs);
    const known = !isSame(first.token, NO_TOKEN) && this.isToken(first.token, from, nowMs);
    if (!known && ++this.#lookedAt > SEAL_FIRSTS_LOOKED_AT) return "drop";
    if (known && !this.#mayProved(from)) return "drop";
    if (!isSame(this.#marks.first(first.marked), first.mark)) return "drop";
    if (work >= SEAL_WORK) return "drop";
    if (known) return "work";
    return ++this.#free <= SEAL_FIRSTS_FREE ? "work" : "retry";
  }

  #mayProved(from: Address): boolean {
    if (this.#proved.size >= SOURCES && !this.#proved.has(from.hostname)) return false;
    const count = (this.#proved.get(from.hostname) ?? 0) + 1;
    this.#proved.set(from.hostname, count);
    return count <= SEAL_FIRSTS_PROVED;
  }

  token(to: Address, nowMs: number): Uint8Array {
    this.#turn(nowMs);
    return tokenOf(this.#secret, to);
  }

  /** Says whether the token was made here, for this address, not long ago. */
  isToken(token: Uint8Array, from: Address, nowMs: number): boolean {
    this.#turn(nowMs);
    return isSame(token, tokenOf(this.#secret, from)) || isSame(token, tokenOf(this.#before, from));
  }

  retryMark(first: First, token: Uint8Array): Uint8Array {
    return this.#marks.retry(first.mark, token);
  }

  #turn(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#lookedAt = 0;
      this.#free = 0;
      this.#proved.clear();
    }
    const age = nowMs - this.#secretMs;
    if (age < SEAL_TOKEN_MS) return;
    this.#before = age < 2 * SEAL_TOKEN_MS ? this.#secret : this.#random(32);
    this.#secret = this.#random(32);
    this.#secretMs = nowMs;
  }
}

function tokenOf(secret: Uint8Array, { hostname, port }: Address): Uint8Array {
  return hmacSha256(secret, toBytes(`${hostname}|${port}`)).subarray(0, TOKEN_BYTES);
}
