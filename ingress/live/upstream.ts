import { HEAD_BYTES, IDLE_UPSTREAMS, INTERIM_RESPONSES } from "../../core/limits.ts";
import type { Replica } from "../balance.ts";
import { ChunkedBody } from "../chunked.ts";
import { BAD, DONE, MORE } from "../field_block.ts";
import type { H2Pool } from "./h2_upstream.ts";
import { closeQuietly, type Connection } from "./connection.ts";
import { BY_LENGTH, CHUNKED, NO_BODY, ResponseHead, UNTIL_CLOSE } from "../http1.ts";

/** How a replica failed a request. */
export type UpstreamFault =
  /** It ended or reset the connection before a whole response. */
  | "reset"
  /** Its response is not HTTP. */
  | "garbage";

/** Who sent the request and gets the response, in this order: head (interim ones first), body, end. */
export interface UpstreamOwner {
  upstreamHead(upstream: Upstream): void;
  upstreamBody(upstream: Upstream, bytes: Uint8Array, from: number, to: number): void;
  /** `tail`: the end of a chunked body with its trailers. */
  upstreamEnd(upstream: Upstream, tail: Uint8Array): void;
  /** All that one read brought has been handed over; call `resume` to read on. */
  upstreamFlush(upstream: Upstream): void;
  /** What was given to `send` has been written. */
  upstreamWritten(upstream: Upstream): void;
  upstreamFailed(upstream: Upstream, fault: UpstreamFault, reason: string): void;
  /** The replica is lost with its node: no answer will come, and no connection either. */
  replicaLost(): void;
}

// Pooled, nobody's.
const IDLE = 0;
// A request was sent, the response head is awaited.
const WAITING = 1;
// The head is there, content follows.
const BODY = 2;
// Raw bytes both ways; somebody else reads.
const TUNNEL = 3;
const CLOSED = 4;

const READ_BYTES = HEAD_BYTES;
const LARGE_READ_BYTES = 65_536;
const NOTHING = new Uint8Array(0);

/** One connection to a replica. */
export class Upstream {
  owner: UpstreamOwner | null = null;
  readonly head = new ResponseHead();
  bytes = new Uint8Array(READ_BYTES);
  /** It has carried a request before: the replica may close it at any moment. */
  reused = false;
  /** The connection was dead before a byte of the request was on it. */
  unsent = false;
  /** Bytes of the current response that have come. */
  received = 0;
  idleSinceMs = 0;
  /** Whether a client of HTTP/1.0 gets the content, so that chunks are taken apart. */
  bare = false;

  private state = IDLE;
  private start = 0;
  private end = 0;
  private left = 0;
  private toHead = false;
  private upgrade = false;
  private interims = 0;
  private reading = false;
  private chunked: ChunkedBody | null = null;
  private sending: Uint8Array | null = null;
  private sendAt = 0;
  private sent = 0;
  private sendEnd = 0;

  constructor(
    readonly connection: Connection,
    readonly replica: Replica,
    private readonly pool: UpstreamPool,
  ) {}

  get isClosed(): boolean {
    return this.state === CLOSED;
  }

  /** A write is under way: its bytes must not be touched. */
  get writing(): boolean {
    return this.sending !== null;
  }

  /** Takes the connection for one request. */
  begin(owner: UpstreamOwner, toHead: boolean, upgrade: boolean): void {
    this.owner = owner;
    this.state = WAITING;
    this.toHead = toHead;
    this.upgrade = upgrade;
    this.interims = 0;
    this.received = 0;
    this.sent = 0;
    this.unsent = false;
    this.start = this.end = 0;
    this.bare = false;
    this.head.restart(0);
    this.read();
  }

  /** Writes; one at a time. `owner.upstreamWritten` follows unless it fails. */
  send(bytes: Uint8Array, from: number, to: number): void {
    this.sending = bytes;
    this.sendAt = from;
    this.sendEnd = to;
    this.write();
  }

  private write(): void {
    this.connection.write(this.sending!.subarray(this.sendAt, this.sendEnd))
      .then(this.onWritten, this.onWriteError);
  }

  private readonly onWritten = (count: number) => {
    this.sendAt += count;
    this.sent += count;
    if (this.sendAt < this.sendEnd && this.state !== CLOSED) return this.write();
    this.sending = null;
    this.owner?.upstreamWritten(this);
  };

  // The response may still be on its way (an early refusal): the read will tell how it ends.
  private readonly onWriteError = () => {
    if (this.sent === 0) this.unsent = true;
    this.sending = null;
  };

  /** Reads on after `upstreamFlush`. */
  resume(): void {
    if (this.state === WAITING || this.state === BODY) this.read();
  }

  private read(): void {
    if (this.reading) return;
    if (this.start === this.end) {
      this.start = this.end = 0;
      if (this.state === WAITING) this.head.restart(0);
    } else if (this.end === this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
    }
    this.reading = true;
    const room = this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
    this.connection.read(room).then(this.onRead, this.onReadError);
  }

  private readonly onRead = (count: number | null) => {
    this.reading = false;
    if (this.state === IDLE) return this.pool.drop(this);
    if (this.state === CLOSED) return;
    if (count === null) return this.ended();
    if (this.reused && this.state === WAITING && this.received === 0 && this.sent === 0) {
      // It answers before a byte of the question has left: this is an answer to nothing.
      return this.fail("reset", "an answer before its question");
    }
    this.end += count;
    this.received += count;
    this.process();
  };

  private readonly onReadError = (error: Error) => {
    this.reading = false;
    if (this.state === IDLE) return this.pool.drop(this);
    if (this.state !== CLOSED) this.fail("reset", error.message);
  };

  private fail(fault: UpstreamFault, reason: string): void {
    const owner = this.owner;
    this.close();
    owner?.upstreamFailed(this, fault, reason);
  }

  private ended(): void {
    if (this.state === BODY && this.head.framing === UNTIL_CLOSE) {
      const owner = this.owner!;
      owner.upstreamEnd(this, NOTHING);
      owner.upstreamFlush(this);
    } else this.fail("reset", this.state === BODY ? "content cut short" : "no response");
  }

  private process(): void {
    const owner = this.owner!;
    while (this.state === WAITING) {
      const progress = this.head.parse(this.bytes, this.end, this.toHead);
      if (progress === BAD) return this.fail("garbage", this.head.reason);
      if (progress === MORE) break;
      this.start = this.head.at;
      if (!this.tookHead(owner)) return;
    }
    if (this.state === BODY) {
      if (!this.processBody(owner)) return;
    } else this.makeRoom();
    owner.upstreamFlush(this);
  }

  // A head that is not whole yet needs room for its rest.
  private makeRoom(): void {
    if (this.end < this.bytes.length || this.start === 0) return;
    this.bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
    this.head.restart(0);
  }

  private tookHead(owner: UpstreamOwner): boolean {
    const { head } = this;
    if (head.code === 101) {
      if (!this.upgrade) {
        this.fail("garbage", "switched protocols unasked");
        return false;
      }
      this.state = TUNNEL;
      owner.upstreamHead(this);
      return false;
    }
    if (head.interim) {
      if (++this.interims > INTERIM_RESPONSES) {
        this.fail("garbage", "too many interim responses");
        return false;
      }
      owner.upstreamHead(this);
      head.restart(this.start);
      this.makeRoom();
      return true;
    }
    this.state = BODY;
    owner.upstreamHead(this);
    this.left = head.length;
    if (head.framing === CHUNKED) {
      this.chunked ??= new ChunkedBody();
      this.chunked.restart(this.bare);
    } else if (head.framing === UNTIL_CLOSE || head.length > LARGE_READ_BYTES) this.enlarge();
    return true;
  }

  private enlarge(): void {
    if (this.bytes.length >= LARGE_READ_BYTES) return;
    const larger = new Uint8Array(LARGE_READ_BYTES);
    larger.set(this.bytes.subarray(this.start, this.end));
    this.end -= this.start;
    this.start = 0;
    this.bytes = larger;
  }

  /** Returns whether the owner still waits for more. */
  private processBody(owner: UpstreamOwner): boolean {
    const { bytes, head } = this;
    switch (head.framing) {
      case NO_BODY:
        owner.upstreamEnd(this, NOTHING);
        break;
      case BY_LENGTH: {
        const take = Math.min(this.left, this.end - this.start);
        const from = this.start;
        this.start += take;
        this.left -= take;
        if (take > 0) owner.upstreamBody(this, bytes, from, from + take);
        if (this.left === 0) owner.upstreamEnd(this, NOTHING);
        break;
      }
      case CHUNKED: {
        const chunked = this.chunked!;
        const from = this.start;
        const progress = chunked.feed(bytes, from, this.end);
        if (progress === BAD) {
          this.fail("garbage", chunked.reason);
          return false;
        }
        this.start = chunked.at;
        if (chunked.leadLength > 0) owner.upstreamBody(this, chunked.lead, 0, chunked.leadLength);
        if (chunked.outEnd > from) owner.upstreamBody(this, bytes, from, chunked.outEnd);
        if (progress === DONE) owner.upstreamEnd(this, chunked.tail);
        break;
      }
      case UNTIL_CLOSE: {
        const from = this.start;
        this.start = this.end;
        if (this.end > from) owner.upstreamBody(this, bytes, from, this.end);
        break;
      }
    }
    return true;
  }

  /** Bytes have come after the response's end: whoever sends them is not to be trusted further. */
  get hasSurplus(): boolean {
    return this.end > this.start;
  }

  /** Whether the connection may carry another request after this response. */
  get reusable(): boolean {
    return this.state === BODY && this.head.keepAlive && this.head.framing !== UNTIL_CLOSE &&
      this.sending === null && !this.hasSurplus;
  }

  /** For the pool: it is nobody's from now on. */
  rest(nowMs: number): void {
    this.owner = null;
    this.state = IDLE;
    this.reused = true;
    this.idleSinceMs = nowMs;
    this.start = this.end = 0;
    if (this.bytes.length > READ_BYTES) this.bytes = new Uint8Array(READ_BYTES);
    this.read();
  }

  /** After 101: what has come behind the head. The caller reads and writes from now on. */
  takeSurplus(): Uint8Array {
    return this.bytes.slice(this.start, this.end);
  }

  close(): void {
    if (this.state === CLOSED) return;
    this.state = CLOSED;
    this.owner = null;
    this.pool.left(this);
    closeQuietly(this.connection);
  }
}

/** The connections to one replica. */
export class UpstreamPool {
  private readonly idle: Upstream[] = [];
  /** Open connections, idle or not. */
  private readonly all = new Set<Upstream>();
  /** Who waits for a new connection. */
  private readonly dialing = new Set<UpstreamOwner>();
  private http2: H2Pool | null = null;

  constructor(readonly replica: Replica) {}

  /** The pool of a replica, made at its first request. */
  static of(replica: Replica): UpstreamPool {
    const known = replica.attached;
    if (known instanceof UpstreamPool) return known;
    const pool = new UpstreamPool(replica);
    replica.attached = pool;
    return pool;
  }

  /** How many connections are open. */
  get open(): number {
    return this.all.size;
  }

  /** An idle connection that has rested for at most `maxIdleMs`; the one used last first. */
  take(nowMs: number, maxIdleMs: number): Upstream | null {
    const last = this.idle.at(-1);
    if (last === undefined || nowMs - last.idleSinceMs > maxIdleMs) return null;
    this.idle.pop();
    return last;
  }

  /**
   * Opens a connection, or a stream of HTTP/2 that is used like one. Rejects as `Deno.connect` does.
   */
  async dial(owner: UpstreamOwner, http2: boolean, now: () => number): Promise<Upstream> {
    this.dialing.add(owner);
    try {
      const connection = http2 ? await this.openStream(now) : await this.connect();
      const upstream = new Upstream(connection, this.replica, this);
      this.all.add(upstream);
      return upstream;
    } finally {
      this.dialing.delete(owner);
    }
  }

  private async connect(): Promise<Connection> {
    const { host, port } = this.replica.endpoint;
    const connection = await Deno.connect({ hostname: host, port });
    connection.setNoDelay(true);
    return connection;
  }

  private async openStream(now: () => number): Promise<Connection> {
    if (this.http2 === null) {
      const { host, port } = this.replica.endpoint;
      const { H2Pool } = await import("./h2_upstream.ts");
      this.http2 ??= new H2Pool(host, port, now);
    }
    return await this.http2.open();
  }

  /** Gives a connection back after a whole response. */
  release(upstream: Upstream, nowMs: number): void {
    if (this.replica.gone || this.idle.length >= IDLE_UPSTREAMS) return upstream.close();
    this.idle.push(upstream);
    upstream.rest(nowMs);
  }

  /** An idle connection has ended. */
  drop(upstream: Upstream): void {
    const at = this.idle.indexOf(upstream);
    if (at >= 0) this.idle.splice(at, 1);
    upstream.close();
  }

  /** Closes what has been idle for longer. */
  expire(nowMs: number, maxIdleMs: number): void {
    while (this.idle.length > 0 && nowMs - this.idle[0]!.idleSinceMs > maxIdleMs) {
      this.drop(this.idle[0]!);
    }
    this.http2?.expire(nowMs, maxIdleMs);
  }

  /** Closes all idle connections. */
  clear(): void {
    this.http2?.clear();
    while (this.idle.length > 0) this.drop(this.idle[0]!);
  }

  /** The replica is lost: closes idle connections, and tells all who wait for something. */
  lose(): void {
    this.clear();
    const owners = [...this.dialing, ...[...this.all].map((each) => each.owner)];
    for (const owner of owners) owner?.replicaLost();
  }

  /** A connection has been closed. */
  left(upstream: Upstream): void {
    this.all.delete(upstream);
  }
}
