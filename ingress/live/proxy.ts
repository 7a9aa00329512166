import type { Instant } from "../../core/instant.ts";
import { now as clock } from "../../core/live/clock.ts";
import { RETRY_BURST, RETRY_SHARE } from "../../core/limits.ts";
import type { Cidr } from "../../core/address.ts";
import { ascii } from "../field_block.ts";
import { putHex8 } from "../headers.ts";
import { RetryBudget } from "../limit.ts";
import type { IngressEffect, IngressMachine } from "../machine.ts";
import type { Replica } from "../balance.ts";
import type { AccessLog } from "./access_log.ts";
import { Buffers } from "./buffers.ts";
import type { Metrics } from "./metrics.ts";
import type { RequestTracer } from "./tracer.ts";

/** How long the ingress waits for others, in ms. */
export interface Timeouts {
  /** From a request's first byte to the end of its head. */
  readonly headMs: number;
  /** Between two pieces of a request's body, and for a client to read what it asked for. */
  readonly bodyMs: number;
  /** Between two pieces of a response: long, because events may be rare. */
  readonly responseMs: number;
  /** For a kept-alive connection without a request. */
  readonly idleMs: number;
  readonly connectMs: number;
  /** From a whole request to the head of its response, unless the route says otherwise. */
  readonly firstByteMs: number;
  /** How long a stop waits for requests under way. */
  readonly drainMs: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = {
  headMs: 10_000,
  bodyMs: 30_000,
  responseMs: 120_000,
  idleMs: 60_000,
  connectMs: 3_000,
  firstByteMs: 60_000,
  drainMs: 20_000,
};

const BLOCK_BYTES = 18_432;

/** What all connections of an ingress share. */
export class Proxy {
  readonly buffers = new Buffers(BLOCK_BYTES, 256);
  readonly retries = new RetryBudget(RETRY_SHARE, RETRY_BURST);
  /** No new requests on kept-alive connections: the ingress is stopping. */
  draining = false;
  /** `Date: ...` with CRLF, as of this second. */
  dateLine: Uint8Array = ascii("");
  /** The monotonic time, renewed by each event that measures. */
  nowMs = 0;
  /** Carries out what the machine wants. Set by whoever holds the watch stream. */
  perform: (effects: readonly IngressEffect[]) => void = () => {};

  /** Where HTTPS is served; `null`: nowhere. */
  httpsPort: number | null = null;
  /** What answers an ACME challenge over HTTP. */
  challengeAnswer: ((token: string) => string | null) | null = null;
  /** Records requests; `null`: none. */
  tracer: RequestTracer | null = null;
  /** Every plain request is sent there. */
  redirectToHttps = false;

  private dateSecond = -1;
  private readonly random = new Uint32Array(256);
  private randomAt = 256;
  private requests = 0;
  private readonly idPrefix: Uint8Array;

  constructor(
    readonly machine: IngressMachine,
    readonly metrics: Metrics,
    readonly accessLog: AccessLog | null,
    readonly timeouts: Timeouts,
    /** Largest request body accepted, in bytes. */
    readonly maxBodyBytes: number,
    /** Peers whose X-Forwarded-* stand. */
    readonly trusted: readonly Cidr[] = [],
  ) {
    this.idPrefix = ascii(crypto.getRandomValues(new Uint8Array(8)).toHex());
    this.tick();
  }

  /** Brings the clocks up to date. To be called at least every second. */
  tick(): Instant {
    const instant = clock();
    this.nowMs = instant.monoMs;
    const second = Math.floor(instant.wallMs / 1000);
    if (second !== this.dateSecond) {
      this.dateSecond = second;
      this.dateLine = ascii(`Date: ${new Date(second * 1000).toUTCString()}\r\n`);
    }
    return instant;
  }

  /** The monotonic time now, in ms. */
  now(): number {
    return this.nowMs = performance.now();
  }

  /** A random 32-bit number for trace ids. */
  readonly nextRandom = (): number => {
    if (this.randomAt === this.random.length) {
      crypto.getRandomValues(this.random);
      this.randomAt = 0;
    }
    return this.random[this.randomAt++]!;
  };

  /** Writes a new request id of 24 characters: this process, and a number that grows. */
  writeRequestId(out: Uint8Array): void {
    out.set(this.idPrefix, 0);
    putHex8(out, 16, this.requests++ | 0);
  }

  /** A request waits for an app without replicas. */
  wake(app: string): void {
    this.perform(this.machine.wake(app, clock()));
  }

  /** A request on the replica has ended. */
  left(replica: Replica): void {
    replica.outstanding--;
    if (replica.gone && replica.outstanding === 0) {
      this.perform(this.machine.idle(replica, clock()));
    }
  }
}

/** Length of a request id. */
export const REQUEST_ID_BYTES = 24;
