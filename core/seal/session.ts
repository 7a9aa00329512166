// One session between two peers: two keys, two counters.

import { SEAL_OLD_MS, SEAL_REKEY_DATAGRAMS, SEAL_REKEY_MS } from "../limits.ts";
import { concat } from "./noise.ts";
import { type Packet, writeDataHead } from "./packets.ts";
import type { SessionKeys } from "./pqik.ts";
import type { Aead } from "./primitives.ts";
import { ReplayWindow } from "./window.ts";

type Data = Extract<Packet, { kind: "data" }>;

/** When a session is replaced: by its initiator only, and never for all peers at one moment. */
export interface SessionLimits {
  readonly rekeyMs: number;
  readonly rekeyDatagrams: number;
}

export const SESSION_LIMITS: SessionLimits = {
  rekeyMs: SEAL_REKEY_MS,
  rekeyDatagrams: SEAL_REKEY_DATAGRAMS,
};

export class Session {
  readonly #window = new ReplayWindow();
  #sent = 0;
  #received = 0;
  /** The other side has shown that it holds the keys. */
  confirmed: boolean;

  constructor(
    private readonly aead: Aead,
    private readonly keys: SessionKeys,
    readonly index: number,
    readonly remoteIndex: number,
    readonly initiator: boolean,
    readonly createdMs: number,
    private readonly limits: SessionLimits,
  ) {
    this.confirmed = initiator;
  }

  /** How many datagrams have gone out. */
  get sent(): number {
    return this.#sent;
  }

  seal(text: Uint8Array): Uint8Array {
    const head = writeDataHead(this.remoteIndex, this.#sent);
    return concat(head, this.aead.seal(this.keys.send, this.#sent++, head, text));
  }

  /** Says whether a datagram was not taken before, as far as can be told. */
  isFresh({ counter }: Data): boolean {
    return this.#window.isFresh(counter);
  }

  /** The text, and whether it is newer than all before; `null` if it is forged or a repetition. */
  open(data: Data): { readonly text: Uint8Array; readonly newest: boolean } | null {
    if (!this.#window.isFresh(data.counter)) return null;
    const text = this.aead.open(this.keys.receive, data.counter, data.head, data.sealed);
    if (text === null) return null;
    this.#received++;
    return { text, newest: this.#window.mark(data.counter) };
  }

  /** Says whether its initiator should set up the next one. */
  isWorn(nowMs: number, share: number): boolean {
    return this.initiator &&
      (nowMs - this.createdMs >= this.limits.rekeyMs * share ||
        this.#sent >= this.limits.rekeyDatagrams ||
        this.#received >= this.limits.rekeyDatagrams);
  }

  /** Says whether it must not be used any more. */
  isOver(nowMs: number): boolean {
    return nowMs - this.createdMs >= this.limits.rekeyMs + SEAL_OLD_MS ||
      this.#sent >= this.limits.rekeyDatagrams * 2;
  }
}
