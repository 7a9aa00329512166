// Following the conductor's log: a WebSocket that is dialled again whenever it breaks.

import type { Address } from "../../core/address.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { MemberSeal } from "../../core/live/member_seal.ts";
import { followShape } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import type { NodeEvent } from "../effects.ts";

type Timer = ReturnType<typeof setTimeout>;

export class Follower implements Disposable {
  #socket: WebSocket | null = null;
  #timer: Timer | undefined;
  #waitMs = RETRY_MIN_MS;
  #closed = false;
  /** Records up to where the log was when this node's token was made. */
  #held: Extract<NodeEvent, { on: "record" }>["record"][] = [];

  /**
   * @param from the last sequence known, asked for at each dial
   */
  constructor(
    private readonly conductor: Address,
    private readonly from: () => number,
    private readonly dispatch: (event: NodeEvent) => void,
    private readonly seal?: MemberSeal,
  ) {
    this.#dial();
  }

  #dial(): void {
    const { hostname, port } = this.conductor;
    const authority = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
    const path = `/follow?from=${this.from()}`;
    const socket = this.seal?.socket(this.conductor, { role: "conductor" }, path) ??
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
    // Nothing of a log is believed before it has shown itself to be as long as it was.
    const least = this.seal?.head.sequence ?? 0;
    if (message.k === "head") {
      if (message.sequence >= least) {
        for (const record of this.#held.splice(0)) this.dispatch({ on: "record", record });
        return this.dispatch({ on: "head", sequence: message.sequence });
      }
      logger("follow").error(
        "the conductor's log ends at {sequence}, and when this node's token was made it had {least} " +
          "entries: it is cut short, and not followed",
        { sequence: message.sequence, least },
      );
      this.#socket?.close();
      return;
    }
    const { k: _, ...record } = message;
    if (record.sequence <= least) this.#held.push(record);
    else {
      for (const each of this.#held.splice(0)) this.dispatch({ on: "record", record: each });
      this.dispatch({ on: "record", record });
    }
  }

  #again(socket: WebSocket): void {
    if (this.#closed || socket !== this.#socket) return;
    this.#timer = setTimeout(() => this.#dial(), this.#waitMs);
    Deno.unrefTimer(this.#timer);
    this.#waitMs = Math.min(RETRY_MAX_MS, this.#waitMs * 2);
  }

  /** Breaks the stream, which may be one to a conductor that is no more, and dials anew. */
  again(): void {
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
