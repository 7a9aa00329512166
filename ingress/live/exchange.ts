import {
  ATTEMPTS,
  HELD_MS,
  LOST_GRACE_MS,
  RECENT_ANSWER_MS,
  RECOVER_MS,
  SLOW_BODY_BYTES,
} from "../../core/limits.ts";
import type { Replica } from "../balance.ts";
import { isIdempotent } from "../http1.ts";
import type { Destination } from "../route.ts";
import type { Proxy } from "./proxy.ts";
import { type Upstream, type UpstreamFault, type UpstreamOwner, UpstreamPool } from "./upstream.ts";
import type { Stat } from "./metrics.ts";

/** Where a request came from: gets the response, or the reason why there is none. */
export interface Front {
  /** An interim or final head stands parsed in `upstream.head`, its bytes in `upstream.bytes`. */
  responseHead(upstream: Upstream): void;
  responseBody(bytes: Uint8Array, from: number, to: number): void;
  responseEnd(tail: Uint8Array): void;
  /** Send what was handed over. Returns whether more may come now; else calls `resume` later. */
  responseFlush(): boolean;
  /** The replica has taken what was given to `begin` or `stream`. */
  requestTaken(): void;
  /** No response has begun and none will come: answer with this. */
  refuse(status: number, reason: string, retryAfterS: number): void;
  /** A response has begun and cannot be ended: break off so that nobody takes it for whole. */
  abort(): void;
  /** Both sides have switched protocols. */
  switched(upstream: Upstream): void;
}

const RESTING = 0;
const DIALING = 1;
const WAITING = 2;
const ANSWERING = 3;
// The app has no replica and is being woken.
const HELD = 4;

/** What is asked of a replica. */
export interface Asked {
  readonly destination: Destination;
  readonly method: number;
  readonly toHead: boolean;
  readonly upgrade: boolean;
  /** It is gRPC: the replica speaks HTTP/2, and both sides may talk for long, at a time. */
  readonly grpc: boolean;
  /** Replica that the client's cookie asks for. */
  readonly preferred: Replica | null;
}

/**
 * One request on its way through: chooses a replica, sends, tries again where that is safe, hands
 * the response to its `Front`. Used again for each request of a client.
 *
 * Tried again: anything of which not a byte was sent (a refused connection); an idempotent request
 * that is here whole, of whose response nothing has come, once after a reset, and without counting
 * when a kept-alive connection had been closed by the replica meanwhile (the next attempt is then
 * on a new connection, so that this happens once).
 */
export class Exchange implements UpstreamOwner {
  state = RESTING;
  replica: Replica | null = null;
  stat: Stat | null = null;
  attempts = 0;
  startMs = 0;
  /** When to give up waiting, monotonic ms. */
  deadlineMs = Infinity;
  /** Status of the response that has begun. */
  status = 0;

  private asked!: Asked;
  private upstream: Upstream | null = null;
  private request: Uint8Array<ArrayBuffer> | null = null;
  private requestEnd = 0;
  private complete = false;
  private streamed = false;
  private tried: Replica[] | null = null;
  private resets = 0;
  private dialId = 0;
  private heldUntilMs = 0;
  /** Bytes of the body since the deadline was moved last. */
  private sinceMoved = 0;

  constructor(private readonly proxy: Proxy, private readonly front: Front) {}

  get active(): boolean {
    return this.state !== RESTING;
  }

  /** The replica's response has begun. */
  get answering(): boolean {
    return this.state === ANSWERING;
  }

  /**
   * Sends a request.
   *
   * @param request a block of `proxy.buffers`, from now on the exchange's
   * @param complete whether `request` is all of it; else `stream` follows
   */
  begin(
    asked: Asked,
    request: Uint8Array<ArrayBuffer>,
    requestEnd: number,
    complete: boolean,
    startMs: number,
  ): void {
    this.asked = asked;
    this.request = request;
    this.requestEnd = requestEnd;
    this.complete = complete;
    this.streamed = false;
    this.tried = null;
    this.attempts = this.resets = this.sinceMoved = 0;
    this.startMs = startMs;
    this.status = this.heldUntilMs = 0;
    this.proxy.retries.earn();
    this.attempt(startMs, asked.preferred, false);
  }

  private attempt(nowMs: number, preferred: Replica | null, fresh: boolean): void {
    const { asked, proxy } = this;
    const { pool } = asked.destination;
    const replica = preferred ?? pool.pick(nowMs, this.tried);
    if (replica === null) {
      const { wake } = asked.destination.route;
      if (wake ? this.hold(nowMs, HELD_MS) : this.recover(nowMs)) return;
      return this.refuse(503, `no replica of ${pool.app} is ready`, 1);
    }
    this.attempts++;
    this.replica = replica;
    this.stat = proxy.metrics.statOf(asked.destination, replica);
    replica.outstanding++;
    replica.circuit.began();
    const connections = UpstreamPool.of(replica);
    const upstream = fresh || asked.grpc
      ? null
      : connections.take(nowMs, isIdempotent(asked.method) ? Infinity : 1_000);
    if (upstream !== null) return this.start(upstream, nowMs);
    this.state = DIALING;
    this.deadlineMs = nowMs + proxy.timeouts.connectMs;
    const id = ++this.dialId;
    connections.dial(this, asked.grpc, () => proxy.now()).then(
      (dialed) => {
        if (id !== this.dialId) return connections.release(dialed, proxy.now());
        this.start(dialed, proxy.now());
      },
      () => {
        if (id === this.dialId) this.unreachable("refused the connection", 502);
      },
    );
  }

  /** Waits for the app to get a replica, if there is room for that. */
  private hold(nowMs: number, forMs: number): boolean {
    const { pool, route } = this.asked.destination;
    const { machine } = this.proxy;
    if (this.heldUntilMs === 0) this.heldUntilMs = nowMs + forMs;
    if (nowMs >= this.heldUntilMs) return false;
    const holds = route.wake ? machine.holds : machine.recovering;
    if (!holds.add(pool.app, this, this.request!.length)) return false;
    this.state = HELD;
    this.deadlineMs = this.heldUntilMs;
    if (route.wake) this.proxy.wake(pool.app);
    return true;
  }

  /** An app that has just answered and has nobody left is likely being started again. */
  private recover(nowMs: number): boolean {
    const { pool } = this.asked.destination;
    return nowMs - pool.answeredMs < RECENT_ANSWER_MS && this.hold(nowMs, RECOVER_MS);
  }

  /** It waits no more. */
  private release(): void {
    const { app } = this.asked.destination.pool;
    this.proxy.machine.holds.remove(app, this);
    this.proxy.machine.recovering.remove(app, this);
  }

  /** The app it was held for has a replica. It has been taken out of the held ones. */
  awake(): void {
    if (this.state === HELD) this.attempt(this.proxy.now(), null, false);
  }

  /** The longest that is waited for a next sign of the replica. */
  private patience(ms: number): number {
    return this.replica!.lost ? Math.min(ms, LOST_GRACE_MS) : ms;
  }

  private start(upstream: Upstream, nowMs: number): void {
    const { asked } = this;
    this.dialId++;
    this.upstream = upstream;
    this.state = WAITING;
    this.deadlineMs = this.complete ? this.firstByteBy(nowMs) : this.moreBy(nowMs);
    upstream.begin(this, asked.toHead, asked.upgrade);
    upstream.send(this.request!, 0, this.requestEnd);
  }

  /** By when more of the request must have come; what already answers may take its time. */
  private moreBy(nowMs: number): number {
    const { responseMs, bodyMs } = this.proxy.timeouts;
    return nowMs + (this.asked.grpc || this.state === ANSWERING ? responseMs : bodyMs);
  }

  private firstByteBy(nowMs: number): number {
    const { timeoutMs } = this.asked.destination.route;
    return nowMs + this.patience(timeoutMs || this.proxy.timeouts.firstByteMs);
  }

  /** Sends a further piece of the body, after `requestTaken`. */
  stream(bytes: Uint8Array, from: number, to: number, last: boolean): void {
    this.streamed = true;
    this.sinceMoved += to - from;
    this.upstream!.send(bytes, from, to);
    if (last) this.bodyEnded();
  }

  /** All of the body has been given. */
  bodyEnded(): void {
    this.complete = true;
    if (this.state === WAITING) this.deadlineMs = this.firstByteBy(this.proxy.now());
  }

  /** The client takes more. */
  resume(): void {
    this.upstream?.resume();
  }

  /** Whether `upgrade` was asked for. */
  get upgrading(): boolean {
    return this.asked.upgrade;
  }

  upstreamHead(upstream: Upstream): void {
    const { head } = upstream;
    const { proxy } = this;
    if (head.code === 101) return this.switch(upstream);
    if (head.interim) {
      this.deadlineMs = this.complete ? this.firstByteBy(proxy.now()) : this.deadlineMs;
      return this.front.responseHead(upstream);
    }
    this.state = ANSWERING;
    this.status = head.code;
    this.front.responseHead(upstream);
    this.deadlineMs = proxy.nowMs + this.patience(proxy.timeouts.responseMs);
  }

  private switch(upstream: Upstream): void {
    this.state = ANSWERING;
    this.status = 101;
    this.deadlineMs = Infinity;
    const replica = this.replica!;
    if (replica.circuit.succeeded(this.proxy.now())) this.warm(replica);
    this.front.switched(upstream);
  }

  upstreamBody(_upstream: Upstream, bytes: Uint8Array, from: number, to: number): void {
    this.front.responseBody(bytes, from, to);
  }

  upstreamEnd(upstream: Upstream, tail: Uint8Array): void {
    const nowMs = this.proxy.now();
    const replica = this.replica!;
    this.asked.destination.pool.answeredMs = nowMs;
    this.front.responseEnd(tail);
    if (replica.circuit.succeeded(nowMs)) this.warm(replica);
    const reusable = this.complete && upstream.reusable;
    this.upstream = null;
    if (reusable) {
      (replica.attached as UpstreamPool).release(upstream, nowMs);
      this.returnRequest();
    } else {
      if (!upstream.writing) this.returnRequest();
      upstream.close();
    }
    this.finish();
  }

  private warm(replica: Replica): void {
    this.asked.destination.pool.warms(replica);
  }

  upstreamFlush(upstream: Upstream): void {
    if (this.state === ANSWERING) {
      this.deadlineMs = this.proxy.nowMs + this.patience(this.proxy.timeouts.responseMs);
    }
    if (this.front.responseFlush()) upstream.resume();
  }

  upstreamWritten(_upstream: Upstream): void {
    if (!this.complete) {
      // A byte now and then does not hold a replica for ever.
      const talks = this.asked.grpc || this.state === ANSWERING;
      if (talks || this.sinceMoved >= SLOW_BODY_BYTES) {
        this.sinceMoved = 0;
        this.deadlineMs = this.moreBy(this.proxy.now());
      }
      this.front.requestTaken();
    }
  }

  upstreamFailed(upstream: Upstream, fault: UpstreamFault, reason: string): void {
    const nowMs = this.proxy.now();
    const replica = this.replica!;
    this.upstream = null;
    if (fault === "garbage") this.proxy.metrics.badResponses++;
    if (this.state === ANSWERING) {
      replica.circuit.failed(nowMs, false);
      this.finish();
      return this.front.abort();
    }
    const whole = this.repeatable;
    const stale = fault === "reset" && upstream.reused && upstream.received === 0;
    if (stale && (whole || (upstream.unsent && !this.streamed))) {
      // The replica closed a connection that it had kept alive; that says nothing about it.
      this.leave();
      replica.circuit.abandoned();
      return this.attempt(nowMs, replica.gone ? null : replica, true);
    }
    replica.circuit.failed(nowMs, false);
    if (fault === "reset" && whole && this.resets === 0 && this.mayRetry()) {
      this.resets++;
      return this.retry(nowMs);
    }
    const what = fault === "garbage" ? "answered what is not HTTP" : "ended the connection";
    this.refuse(502, `a replica of ${this.asked.destination.pool.app} ${what}: ${reason}`, 0);
  }

  /** It is here whole, and asking twice is as good as asking once. */
  private get repeatable(): boolean {
    return this.complete && !this.streamed && isIdempotent(this.asked.method) &&
      !this.asked.upgrade;
  }

  /**
   * The replica is lost with its node. What may be tried again is, at once; it was never in the way
   * of the budget, which guards replicas that work. The rest is given a moment: should only the word
   * of the loss be wrong, it goes on.
   */
  replicaLost(): void {
    const nowMs = this.proxy.now();
    if (this.state === DIALING || (this.state === WAITING && this.repeatable)) {
      if (this.attempts <= ATTEMPTS && this.untriedLeft()) {
        this.dialId++;
        this.upstream?.close();
        this.upstream = null;
        return this.retry(nowMs);
      }
    }
    if (this.state !== RESTING) {
      this.deadlineMs = Math.min(this.deadlineMs, nowMs + LOST_GRACE_MS);
    }
  }

  // Not a byte was sent: any request may go elsewhere.
  private unreachable(what: string, status: number): void {
    const nowMs = this.proxy.now();
    this.dialId++;
    this.replica!.circuit.failed(nowMs, true);
    const left = this.untriedLeft();
    if (left && this.mayRetry()) return this.retry(nowMs);
    if (!left && this.recover(nowMs)) return this.leave();
    this.refuse(status, `a replica of ${this.asked.destination.pool.app} ${what}`, 1);
  }

  private untriedLeft(): boolean {
    const { replicas } = this.asked.destination.pool;
    return replicas.some((each) => each !== this.replica && !this.tried?.includes(each));
  }

  private mayRetry(): boolean {
    const most = this.asked.destination.route.retries;
    const limit = most === undefined ? ATTEMPTS : most + 1;
    return this.attempts < limit && this.proxy.retries.spend();
  }

  private retry(nowMs: number): void {
    this.stat!.retries++;
    (this.tried ??= []).push(this.replica!);
    this.leave();
    this.attempt(nowMs, null, true);
  }

  /** The deadline has passed. */
  timeOut(): void {
    const nowMs = this.proxy.now();
    const { app } = this.asked.destination.pool;
    const { state } = this;
    if (state === DIALING) return this.unreachable("did not take a connection in time", 504);
    if (state === HELD) {
      this.release();
      return this.refuse(503, `${app} was not ready in time`, 1);
    }
    this.upstream?.close();
    this.upstream = null;
    // A client that does not send its body in time is not the replica's fault.
    if (this.complete) this.replica!.circuit.failed(nowMs, false);
    else this.replica!.circuit.abandoned();
    if (state === ANSWERING) {
      this.finish();
      return this.front.abort();
    }
    if (!this.complete) return this.refuse(408, "the request's body did not come in time", 0);
    this.refuse(504, `a replica of ${app} did not answer in time`, 0);
  }

  /** The client has gone. */
  abandon(): void {
    if (this.state === RESTING) return;
    if (this.state === HELD) this.release();
    this.dialId++;
    this.replica?.circuit.abandoned();
    this.upstream?.close();
    this.upstream = null;
    if (this.status === 0) this.status = 499;
    this.finish();
  }

  /** After `front.switched`: the tunnel has ended. */
  tunnelEnded(): void {
    this.upstream?.close();
    this.upstream = null;
    this.finish();
  }

  private refuse(status: number, reason: string, retryAfterS: number): void {
    this.status = status;
    this.finish();
    this.front.refuse(status, reason, retryAfterS);
  }

  private returnRequest(): void {
    if (this.request !== null) this.proxy.buffers.give(this.request);
    this.request = null;
  }

  private leave(): void {
    const replica = this.replica!;
    this.replica = null;
    this.proxy.left(replica);
  }

  private finish(): void {
    this.state = RESTING;
    this.deadlineMs = Infinity;
    this.request = null;
    const { replica, proxy } = this;
    const elapsedMs = proxy.nowMs - this.startMs;
    this.asked.destination.counted.count(this.status, elapsedMs);
    if (replica === null) {
      const { app } = this.asked.destination.pool;
      return proxy.machine.figures.of(app, 0).count(this.status, elapsedMs);
    }
    this.stat!.count(this.status, elapsedMs, 0);
    replica.counted.count(this.status, elapsedMs);
    this.leave();
  }
}
