// Following the conductor's log: a WebSocket that is dialled again whenever it breaks.

import type { Address } from "../../core/address.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
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

  /**
   * @param known the last sequence known, and that of the last record; asked for at each dial
   */
  constructor(
    private readonly conductor: Address,
    private readonly known: () => { readonly from: number; readonly last: number },
    private readonly dispatch: (event: NodeEvent) => void,
    private readonly answered: (answer: SecretsAnswer) => void,
    private readonly checkpoint: (checkpoint: Checkpoint) => void,
  ) {
    this.#dial();
  }

  #dial(): void {
    const { hostname, port } = this.conductor;
    const authority = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
    const { from, last } = this.known();
    const socket = new WebSocket(`ws://${authority}/follow?from=${from}&last=${last}`);
    this.#socket = socket;
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
        return this.dispatch({ on: "head", sequence: message.sequence, chain: message.chain });
      case "checkpoint":
        return this.checkpoint(message);
      case "secrets":
      case "no-secrets":
        return this.answered(message);
      case "record": {
        const { k: _, ...record } = message;
        return this.dispatch({ on: "record", record });
      }
      default:
        message satisfies never;
    }
  }

  /** Asks the conductor; false where the stream is broken. */
  ask(message: FollowerMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
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
