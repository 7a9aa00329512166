// The conductor's stream to one tower.

import type { Address } from "../../core/address.ts";
import type { WatcherMessage } from "../../core/mesh.ts";
import { logger } from "../../core/live/log.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import type { ConductorEvent } from "../effects.ts";
import { heardOfTower, type TowerWord } from "../fleet/tower_word.ts";

/** Keeps a tower told what the conductor says, through restarts of either. */
export class TowerLink implements Disposable {
  #socket: WebSocket | null = null;
  #waitMs = 50;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #wasHeard: boolean | null = null;

  constructor(
    private readonly tower: Address,
    private readonly word: TowerWord,
    private readonly receive: (event: ConductorEvent) => void,
    private readonly seal?: Seal,
  ) {
    this.#connect();
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sends if the stream stands; else its greeting will say it. */
  send(message: WatcherMessage): void {
    if (this.connected) this.#socket!.send(JSON.stringify(message));
  }

  #connect(): void {
    const { hostname, port } = this.tower;
    const socket = this.seal?.socket(this.tower, { role: "tower" }, "/watch") ??
      new WebSocket(`ws://${hostname}:${port}/watch`);
    this.#socket = socket;
    const at = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    socket.onopen = () => {
      this.#heard(at, true);
      this.#waitMs = 50;
      for (const message of this.word.greeting()) this.send(message);
    };
    socket.onmessage = ({ data }) => {
      const event = typeof data === "string" ? heardOfTower(data) : null;
      if (event) this.receive(event);
    };
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = () => {
      if (this.#closed) return;
      this.#heard(at, false);
      logger("tower").debug("no stream to the tower; again in {ms} ms", { ms: this.#waitMs });
      this.#timer = setTimeout(() => this.#connect(), this.#waitMs);
      this.#waitMs = Math.min(1_000, this.#waitMs * 2);
    };
  }

  /** Told when it changes. */
  #heard(at: string, heard: boolean): void {
    if (this.#wasHeard === heard) return;
    this.#wasHeard = heard;
    this.receive({ on: "tower", at, heard });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }
}
