// Peers of a live tower, for tests: a watcher, a datagram socket, a node that keeps its lease.

import type { Address } from "../../core/address.ts";
import { LEASE_RENEW_MS } from "../../core/limits.ts";
import { openUdp, type Udp } from "../../core/live/udp.ts";
import {
  decodeMesh,
  digestOf,
  encodeMesh,
  type Endpoint,
  type MeshMessage,
  type WatcherMessage,
  type WatchMessage,
  watchShape,
} from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import { NodeVoice } from "../testing.ts";

const DEADLINE_MS = 5_000;

/** What comes in, to be waited for with a deadline. */
export class Inbox<T> {
  readonly all: T[] = [];
  #read = 0;
  #wake: (() => void) | null = null;

  put(item: T): void {
    this.all.push(item);
    this.#wake?.();
  }

  /** The next item that `accept` takes; those before it are skipped. */
  async next<S extends T>(
    accept: (item: T) => item is S,
    what: string,
    deadlineMs?: number,
  ): Promise<S>;
  async next(accept: (item: T) => boolean, what: string, deadlineMs?: number): Promise<T>;
  async next(accept: (item: T) => boolean, what: string, deadlineMs = DEADLINE_MS): Promise<T> {
    const untilMs = performance.now() + deadlineMs;
    for (;;) {
      while (this.#read < this.all.length) {
        const item = this.all[this.#read++]!;
        if (accept(item)) return item;
      }
      await this.#more(untilMs - performance.now(), what);
    }
  }

  #more(ms: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`${what} did not come in time`));
      const timer = setTimeout(late, Math.max(0, ms));
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}

/** A datagram socket that asks and waits for the answer. */
export class Asker implements AsyncDisposable {
  readonly inbox = new Inbox<string>();
  readonly #udp: Udp;

  constructor(readonly tower: Address) {
    const receive = (text: string) => this.inbox.put(text);
    this.#udp = openUdp({ hostname: "127.0.0.1", port: 0, receive });
  }

  send(text: string): void {
    this.#udp.send(text, this.tower);
  }

  /** Sends and waits for one reply. On loopback nothing is lost. */
  ask(text: string): Promise<string> {
    this.send(text);
    return this.inbox.next(() => true, `the answer to ${text.slice(0, 60)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#udp[Symbol.asyncDispose]();
  }
}

/** A watch stream. */
export class WatchClient implements AsyncDisposable {
  readonly inbox = new Inbox<WatchMessage>();
  readonly closed: Promise<CloseEvent>;
  readonly #socket: WebSocket;

  constructor(tower: Address, role: "ingress" | "conductor" | "client", query = "") {
    this.#socket = new WebSocket(`ws://${tower.hostname}:${tower.port}/watch${query}`);
    this.#socket.onopen = () => this.say({ k: "hello", role, name: `test-${role}` });
    this.#socket.onmessage = ({ data }) => this.inbox.put(parseShaped(watchShape, data)!);
    this.closed = new Promise((resolve) => this.#socket.onclose = resolve);
  }

  say(message: WatcherMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** The next message of this kind. */
  next<K extends WatchMessage["k"]>(k: K, deadlineMs?: number) {
    const isKind = (message: WatchMessage): message is Extract<WatchMessage, { k: K }> =>
      message.k === k;
    return this.inbox.next(isKind, `a ${k} on the watch stream`, deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.closed;
  }
}

/** A node that registers what it holds and renews it, over real datagrams. */
export class LiveNode implements AsyncDisposable {
  readonly inbox = new Inbox<MeshMessage>();
  readonly held = new Map<string, Endpoint>();
  readonly voice: NodeVoice;
  readonly #udp: Udp;
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  /** @param renewMs how often it renews its lease; `Infinity` for never */
  constructor(readonly tower: Address, number = 1, renewMs = LEASE_RENEW_MS) {
    this.voice = new NodeVoice(number, 1);
    const receive = (text: string) => this.#receive(decodeMesh(text)!);
    this.#udp = openUdp({ hostname: "127.0.0.1", port: 0, receive });
    if (renewMs < Infinity) this.#timer = setInterval(() => this.#renew(), renewMs);
  }

  add(...endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) this.held.set(endpoint.replica, endpoint);
    this.#sayAll();
  }

  remove(replica: string): void {
    this.held.delete(replica);
    this.say(this.voice.deregister(replica));
  }

  say(message: MeshMessage): void {
    this.#udp.send(encodeMesh(message), this.tower);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#udp[Symbol.asyncDispose]();
  }

  #receive(message: MeshMessage): void {
    this.inbox.put(message);
    if (message.k === "lease-ok" && message.digest !== this.#digest()) this.#sayAll();
  }

  #sayAll(): void {
    for (const message of this.voice.whole([...this.held.values()], 8)) this.say(message);
  }

  #renew(): void {
    this.say(this.voice.lease(this.held.size, this.#digest()));
  }

  #digest(): number {
    return digestOf([...this.held.values()].map(({ replica, port }) => [replica, port]));
  }
}
