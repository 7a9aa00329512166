// Following the conductor's log: a WebSocket that is dialled again whenever it breaks.

import type { Address } from "../../core/address.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { MemberSeal } from "../../core/live/member_seal.ts";
import { type FollowerMessage, followShape } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import type { Checkpoint } from "../../core/audit.ts";
import type { NodeEvent } from "../effects.ts";

import type { SecretsAnswer } from "./secrets.ts";

type Timer = ReturnType<typeof setTimeout>;

export class Follower implements Disposable {
  #socket: WebSocket | null = null;
  #timer: Timer | undefined;
  #waitMs = RETRY_MIN_MS;
  #closed = false;
  #at = 0;
  /** Records up to where the log was when this node's token was made. */
  #held: Extract<NodeEvent, { on: "record" }>["record"][] = [];

  /**
   * @param conductors their TCP ports
   * @param known the last sequence known, and that of the last record; asked for at each dial
   */
  constructor(
    private readonly conductors: readonly Address[],
    private readonly known: () => { readonly from: number; readonly last: number },
    private readonly dispatch: (event: NodeEvent) => void,
    private readonly answered: (answer: SecretsAnswer) => void,
    private readonly checkpoint: (checkpoint: Checkpoint) => void,
    private readonly seal?: MemberSeal,
  ) {
    this.#dial();
  }

  /** Whose log is followed: of who leads, or else of any that shows it. */
  get conductor(): Address {
    return this.conductors[this.#at]!;
  }

  #dial(): void {
    const conductor = this.conductor;
    const { hostname, port } = conductor;
    const authority = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
    const { from, last } = this.known();
    const path = `/follow?from=${from}&last=${last}`;
    const socket = this.seal?.socket(conductor, { role: "conductor" }, path) ??
      new WebSocket(`ws://${authority}${path}`);
    this.#socket = socket;
    this.#held = [];
    socket.onopen = () => this.#waitMs = RETRY_MIN_MS;
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = () => this.#again(socket);
  }

  #hear(data: unknown): void {
    const message = typeof data === "string" ? parseShaped(followShape, data) : null;
    if (!message) {
      logger("follow").warn("the conductor sent a record that cannot be read; it is passed over");
      return;
    }
    switch (message.k) {
      case "log":
        return this.dispatch({ on: "log", log: message.log });
      case "head":
        return this.#head(message.sequence, message.chain);
      case "checkpoint":
        return this.checkpoint(message);
      case "secrets":
      case "no-secrets":
        return this.answered(message);
      case "record": {
        const { k: _, ...record } = message;
        this.#held.push(record);
        if (record.sequence > this.#least) this.#release();
        return;
      }
      default:
        message satisfies never;
    }
  }

  /** Nothing of a log is believed before it has shown itself to be as long as it was. */
  get #least(): number {
    return this.seal?.head.sequence ?? 0;
  }

  #release(): void {
    for (const record of this.#held.splice(0)) this.dispatch({ on: "record", record });
  }

  #head(sequence: number, chain: Extract<NodeEvent, { on: "head" }>["chain"]): void {
    if (sequence >= this.#least) {
      this.#release();
      return this.dispatch({ on: "head", sequence, chain });
    }
    logger("follow").error(
      "the conductor's log ends at {sequence}, and when this node's token was made it had {least} " +
        "entries: it is cut short, and not followed",
      { sequence, least: this.#least },
    );
    this.#socket?.close();
  }

  /** Asks the conductor; false where the stream is broken. */
  ask(message: FollowerMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #again(socket: WebSocket): void {
    if (this.#closed || socket !== this.#socket) return;
    // Another has the same log.
    this.#at = (this.#at + 1) % this.conductors.length;
    this.#timer = setTimeout(() => this.#dial(), this.#waitMs);
    Deno.unrefTimer(this.#timer);
    this.#waitMs = Math.min(RETRY_MAX_MS, this.#waitMs * 2);
  }

  /**
   * Breaks the stream, which may be one to a conductor that is no more, and dials anew: the one of
   * this number.
   */
  again(at: number): void {
    this.#at = at;
    const socket = this.#socket;
    clearTimeout(this.#timer);
    this.#dial();
    socket?.close();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }
}
