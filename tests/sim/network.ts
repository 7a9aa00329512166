import type { Address } from "../../core/address.ts";
import type { Prng } from "../../core/prng.ts";
import type { Timeline } from "./queue.ts";

/** How badly the network treats datagrams. */
export interface Weather {
  /** Share of datagrams that are lost, 0 to 1. */
  loss: number;
  /** Share that arrive twice. */
  repeat: number;
  /** The longest delay; each datagram has its own, so they overtake each other. */
  delayMs: number;
}

type Receive = (text: string, from: Address) => void;

/**
 * Hosts, by address, and the datagrams and streams between them. A stream loses nothing while it
 * stands, and breaks when either end dies or the two are parted.
 */
export class Network {
  readonly weather: Weather = { loss: 0, repeat: 0, delayMs: 1 };
  readonly counters = { sent: 0, lost: 0, repeated: 0 };
  readonly #timeline: Timeline;
  readonly #prng: Prng;
  readonly #sockets = new Map<string, Receive>();
  /** Parted directions, `from>to` by host names, and how many cuts part each. */
  readonly #cuts = new Map<string, number>();
  readonly #streams = new Set<Stream>();

  constructor(timeline: Timeline, prng: Prng) {
    this.#timeline = timeline;
    this.#prng = prng;
  }

  open(address: Address, receive: Receive): () => void {
    const key = `${address.hostname}:${address.port}`;
    this.#sockets.set(key, receive);
    return () => {
      if (this.#sockets.get(key) === receive) this.#sockets.delete(key);
    };
  }

  send(text: string, from: Address, to: Address): void {
    this.counters.sent++;
    const copies = this.#prng.next() < this.weather.repeat ? 2 : 1;
    if (copies === 2) this.counters.repeated++;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#prng.next() < this.weather.loss) {
        this.counters.lost++;
        continue;
      }
      // Now and then one is held up for long, as by a router's full queue.
      const held = this.#prng.next() < 0.01 ? 10 : 1;
      const delayMs = 0.1 + this.#prng.next() * this.weather.delayMs * held;
      this.#timeline.after(delayMs, () => {
        if (this.#cuts.has(`${from.hostname}>${to.hostname}`)) return;
        this.#sockets.get(`${to.hostname}:${to.port}`)?.(text, from);
      });
    }
  }

  /** Cuts the way from one host to another, both ways unless `oneWay`; what comes back mends it. */
  cut(one: string, other: string, oneWay = false): () => void {
    const ways = oneWay ? [`${one}>${other}`] : [`${one}>${other}`, `${other}>${one}`];
    for (const way of ways) this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1);
    for (const stream of [...this.#streams]) {
      if (this.isCut(stream.client, stream.server)) stream.break();
    }
    return () => {
      for (const way of ways) {
        const left = (this.#cuts.get(way) ?? 0) - 1;
        if (left > 0) this.#cuts.set(way, left);
        else this.#cuts.delete(way);
      }
    };
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** All connections of a host end, as when its daemon dies. */
  hangUp(host: string): void {
    for (const stream of [...this.#streams]) {
      if (stream.client === host || stream.server === host) stream.break();
    }
  }

  /** Says whether either way between the two is cut: then no connection stands. */
  isCut(one: string, other: string): boolean {
    return this.#cuts.has(`${one}>${other}`) || this.#cuts.has(`${other}>${one}`);
  }

  /** Says whether nothing comes this way. */
  isWayCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  /** Opens a stream; `null` if the way is cut. */
  stream(client: string, server: string): Stream | null {
    if (this.isCut(client, server)) return null;
    const stream = new Stream(client, server, this.#timeline, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    return stream;
  }
}

/** A connection that keeps order, with 0.5 ms each way. */
export class Stream {
  /** The server has taken it on. */
  onOpen: () => void = () => {};
  onClient: (text: string) => void = () => {};
  onServer: (text: string) => void = () => {};
  onClientLost: () => void = () => {};
  onServerLost: () => void = () => {};
  #open = true;

  constructor(
    readonly client: string,
    readonly server: string,
    private readonly timeline: Timeline,
    private readonly closed: () => void,
  ) {}

  opened(): void {
    this.timeline.after(0.5, () => this.#open && this.onOpen());
  }

  toClient(text: string): void {
    this.timeline.after(0.5, () => this.#open && this.onClient(text));
  }

  toServer(text: string): void {
    this.timeline.after(0.5, () => this.#open && this.onServer(text));
  }

  break(): void {
    if (!this.#open) return;
    this.#open = false;
    this.closed();
    this.onClientLost();
    this.onServerLost();
  }
}
