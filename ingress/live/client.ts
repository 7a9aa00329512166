import { GATHER_BYTES } from "../../core/limits.ts";
import { LAST_CHUNK, writeSize } from "../chunked.ts";
import {
  BAD,
  DONE,
  FIELD_INTS,
  ID,
  latin1,
  MORE,
  type Progress,
  VALUE,
  VALUE_END,
} from "../field_block.ts";
import { MAX_FORWARDS } from "../fields.ts";
import {
  chunkedToClient,
  type Origin,
  REQUEST_HEAD_ROOM,
  type RequestExtras,
  RESPONSE_HEAD_ROOM,
  type ResponseExtras,
  writeRequestHead,
  writeResponseHead,
} from "../headers.ts";
import {
  BY_LENGTH,
  CHUNKED,
  HEAD,
  NO_BODY,
  OPTIONS,
  RequestHead,
  TRACE,
  UNTIL_CLOSE,
} from "../http1.ts";
import { type Reply, replyBytes } from "../replies.ts";
import { ascii } from "../field_block.ts";
import { Exchange, type Front } from "./exchange.ts";
import { remember, type Remembered } from "./access_log.ts";
import { type Proxy, REQUEST_ID_BYTES } from "./proxy.ts";
import { closeQuietly, type Connection } from "./connection.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import { RequestBuffer } from "./request_buffer.ts";
import type { RequestSpan } from "./tracer.ts";
import type { Upstream } from "./upstream.ts";
import { tunnel } from "./tunnel.ts";
import { type Admission, admit, isGrpc, type Peer, stickyCookie } from "./admission.ts";

// A head is awaited or partly there.
const HEAD_STATE = 0;
// A short body is gathered before a replica is chosen.
const GATHER = 1;
// A body is passed on as it comes.
const STREAM = 2;
// The whole request is here; the response is awaited or on its way.
const WAIT = 3;
// Our last word is said; what still comes is thrown away so that the word arrives.
const LINGER = 4;
const TUNNEL = 5;
const CLOSED = 6;

const FIRST_READ_BYTES = 2_048;
const LINGER_MS = 1_000;
const NOTHING: Uint8Array = new Uint8Array(0);
const CRLF = ascii("\r\n");

/** Who keeps the list of clients. */
export interface ClientList {
  clientClosed(client: Http1Client): void;
}

/** One HTTP/1 connection of a client, from its first byte to its last. */
export class Http1Client implements Front, OutboxOwner {
  private state = HEAD_STATE;
  private readonly head = new RequestHead();
  private readonly exchange: Exchange;
  private bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_READ_BYTES);
  private start = 0;
  private end = 0;
  private reading = false;
  private ended = false;
  private deadlineMs: number;

  private readonly request: RequestBuffer;
  private admission: Admission | null = null;
  private requestDone = false;
  private grpc = false;
  private keepAlive = true;
  private startMs = 0;

  private readonly outbox: Outbox;
  private held = false;
  private responseDone = false;
  private frame = false;
  private remembered: Remembered | null = null;
  /** Where the request is recorded. */
  private span: RequestSpan | null = null;

  private readonly requestId = new Uint8Array(REQUEST_ID_BYTES);
  private readonly requestExtras: Mutable<RequestExtras>;
  private readonly responseExtras: Mutable<ResponseExtras>;

  constructor(
    private readonly connection: Connection,
    private readonly proxy: Proxy,
    private readonly list: ClientList,
    origin: Origin,
    private readonly peer: Peer,
    /** Fields for each response: Strict-Transport-Security. */
    private readonly lines: Uint8Array,
  ) {
    this.exchange = new Exchange(proxy, this);
    this.outbox = new Outbox(connection, proxy, this);
    this.request = new RequestBuffer(proxy.buffers, proxy.maxBodyBytes);
    this.deadlineMs = proxy.now() + proxy.timeouts.headMs;
    this.requestExtras = {
      origin,
      target: null,
      strip: 0,
      defaultHost: NOTHING,
      requestId: this.requestId,
      random: proxy.nextRandom,
      trace: null,
      unsampled: proxy.tracer !== null,
      realIp: origin.peer,
      ownId: true,
    };
    this.responseExtras = {
      clientMinor: 1,
      keepAlive: true,
      dateLine: NOTHING,
      requestId: this.requestId,
      lines,
    };
    this.head.restart(0);
  }

  /** Begins to serve. */
  begin(): void {
    this.read();
  }

  /** No request is under way. */
  get resting(): boolean {
    return this.state === HEAD_STATE && this.head.untouched && !this.outbox.busy;
  }

  // ---- Reading ----------------------------------------------------------------------------------

  private read(): void {
    if (this.reading || this.ended || this.state === CLOSED) return;
    if (this.end === this.bytes.length) return;
    this.reading = true;
    const room = this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
    this.connection.read(room).then(this.onRead, this.onReadError);
  }

  private readonly onRead = (count: number | null) => {
    this.reading = false;
    if (this.state === CLOSED) return;
    if (count === null) return this.onEnd();
    this.end += count;
    switch (this.state) {
      case HEAD_STATE:
        return this.advance();
      case GATHER:
        return this.gather();
      case STREAM:
        return this.streamOn();
      case LINGER:
        this.end = 0;
        return this.read();
      default:
        // Bytes of a next request: they wait.
        return;
    }
  };

  private readonly onReadError = () => {
    this.reading = false;
    if (this.state !== CLOSED && this.state !== TUNNEL) this.destroy();
  };

  // The client sends no more. It may still want the answer to what it has sent whole.
  private onEnd(): void {
    this.ended = true;
    if (this.state === WAIT) {
      this.keepAlive = false;
      return;
    }
    if (this.state === TUNNEL) return;
    this.destroy();
  }

  private advance(): void {
    const { head, proxy } = this;
    const progress = head.parse(this.bytes, this.end);
    if (progress === MORE) {
      if (this.startMs === 0 && this.end > this.start) {
        this.startMs = proxy.now();
        this.deadlineMs = this.startMs + proxy.timeouts.headMs;
      }
      if (this.end === this.bytes.length) this.makeRoom();
      return this.read();
    }
    this.startMs = proxy.now();
    this.outbox.total = 0;
    proxy.writeRequestId(this.requestId);
    if (proxy.accessLog !== null) this.remembered = remember(this.bytes, head, progress === DONE);
    if (progress === BAD) {
      this.requestDone = this.grpc = false;
      const allow = head.status === 405 ? { allow: ALLOWED } : {};
      return this.answer({ status: head.status, text: head.reason, ...allow });
    }
    this.start = head.at;
    this.deadlineMs = Infinity;
    this.accept();
  }

  // The buffer is full within a head: move it to the front, or to a larger one.
  private makeRoom(): void {
    const { head } = this;
    const from = head.start;
    const used = this.end - from;
    if (from === 0) {
      const larger = this.proxy.buffers.take(this.proxy.buffers.blockBytes);
      larger.set(this.bytes.subarray(0, used));
      this.bytes = larger;
    } else this.bytes.copyWithin(0, from, this.end);
    this.start = 0;
    this.end = used;
    head.restart(0);
    head.parse(this.bytes, this.end);
  }

  // ---- The request ------------------------------------------------------------------------------

  private accept(): void {
    const { head, proxy, bytes } = this;
    this.responseDone = false;
    this.requestDone = head.framing === NO_BODY;
    this.keepAlive = head.keepAlive && !proxy.draining;
    this.responseExtras.clientMinor = head.minor;
    this.requestExtras.ownId = true;
    this.grpc = head.wantsTrailers && isGrpc(bytes, head);
    if (head.method === TRACE) {
      return this.answer({ status: 405, text: "TRACE is not served", allow: ALLOWED });
    }
    if (head.method === OPTIONS && (head.asterisk || this.mayNotForward())) {
      return this.answer({ status: 204, allow: ALLOWED });
    }
    const admission = admit(proxy, bytes, head, this.peer);
    if ("status" in admission) return this.answer(admission);
    this.admission = admission;
    const { requestExtras } = this;
    if (this.peer.trusted) requestExtras.realIp = ascii(admission.client);
    requestExtras.strip = admission.match.strip;
    requestExtras.target = admission.match.target;
    requestExtras.defaultHost = head.hostStart < 0
      ? ascii(admission.match.destination.route.app)
      : NOTHING;
    if (proxy.tracer !== null) {
      this.span = proxy.tracer.begin(bytes, head, admission, this.peer);
      requestExtras.trace = this.span?.traceparent ?? null;
    }
    const inline = head.framing === BY_LENGTH ? Math.min(head.length, GATHER_BYTES) : 0;
    const room = head.at - head.start + REQUEST_HEAD_ROOM + inline +
      (head.framing === CHUNKED ? this.end - this.start + 64 : 0);
    const { request } = this;
    request.end = writeRequestHead(request.begin(room), 0, bytes, head, requestExtras);
    this.acceptBody();
  }

  private mayNotForward(): boolean {
    const { head } = this;
    for (let base = 0; base < head.fieldCount * FIELD_INTS; base += FIELD_INTS) {
      if (head.fields[base + ID] !== MAX_FORWARDS) continue;
      return /^0+$/.test(
        latin1(this.bytes, head.fields[base + VALUE]!, head.fields[base + VALUE_END]!),
      );
    }
    return false;
  }

  private acceptBody(): void {
    const { head } = this;
    switch (head.framing) {
      case NO_BODY:
        return this.forward(true);
      case BY_LENGTH:
        this.request.left = head.length;
        if (head.expects || head.length > GATHER_BYTES) return this.forwardFirstPart();
        break;
      case CHUNKED:
        this.request.chunked.restart(false);
        // A call of gRPC may begin with nothing, and wait for an answer before it goes on.
        if ((head.expects && this.start === this.end) || this.grpc) return this.forward(false);
        break;
    }
    this.state = GATHER;
    this.deadlineMs = this.startMs + this.proxy.timeouts.bodyMs;
    this.gather();
  }

  /** Gathers a short body, or the first part of a chunked one, behind the head. */
  private gather(): void {
    if (this.head.framing === CHUNKED) return this.gatherChunks();
    this.start = this.request.take(this.bytes, this.start, this.end);
    if (this.request.left === 0) return this.forward(true);
    if (this.start === this.end) this.roomForBody();
    this.read();
  }

  private gatherChunks(): void {
    const { chunked } = this.request;
    const progress = this.feedChunks();
    if (progress === BAD) return;
    if (progress === DONE) return this.forward(true);
    // With content at hand the rest is passed on as it comes; the end alone is worth waiting for.
    if (chunked.contentBytes > 0 && !chunked.inTrailers) return this.forward(false);
    this.roomForBody();
    this.read();
  }

  /** Takes in what is here of a chunked body; answers a bad one. */
  private feedChunks(): Progress {
    const { request } = this;
    const progress = request.feed(this.bytes, this.start, this.end);
    this.start = request.chunked.at;
    if (progress === "too-long") {
      this.badBody(`the body is longer than ${this.proxy.maxBodyBytes} bytes`, 413);
      return BAD;
    }
    if (progress === BAD) this.badBody(request.chunked.reason);
    return progress;
  }

  private badBody(reason: string, status = 400): void {
    this.exchange.abandon();
    this.requestDone = false;
    if (this.responseBegun) return this.destroy();
    this.answer({ status, text: reason });
  }

  /** All input has been taken: read into a block, because a body is likely longer than a head. */
  private roomForBody(): void {
    if (this.start < this.end) return;
    this.start = this.end = 0;
    const { buffers } = this.proxy;
    if (this.bytes.length < buffers.blockBytes) this.bytes = buffers.take(buffers.blockBytes);
  }

  private forwardFirstPart(): void {
    this.start = this.request.take(this.bytes, this.start, this.end);
    this.forward(this.request.left === 0);
  }

  private forward(complete: boolean): void {
    const { head, admission } = this;
    const { end } = this.request;
    const block = this.request.release();
    this.requestDone = complete;
    this.state = complete ? WAIT : STREAM;
    this.deadlineMs = Infinity;
    const { destination } = admission!.match;
    this.exchange.begin(
      {
        destination,
        method: head.method,
        toHead: head.method === HEAD,
        upgrade: head.upgrade,
        grpc: this.grpc,
        preferred: admission!.preferred,
      },
      block,
      end,
      complete,
      this.startMs,
    );
    // Notice a client that goes away, and have the next request at hand. Not before an upgrade:
    // then the tunnel reads.
    if (complete && !head.upgrade && this.state === WAIT) this.readAhead();
  }

  private readAhead(): void {
    if (this.reading || this.ended) return;
    if (this.start === this.end) this.start = this.end = 0;
    if (this.end < this.bytes.length) this.read();
  }

  requestTaken(): void {
    if (this.state !== STREAM) return;
    this.streamOn();
  }

  /** Passes on what has come of the body, or reads more; one piece at a time. */
  private streamOn(): void {
    if (!this.exchange.active) return;
    if (this.start === this.end) {
      this.roomForBody();
      this.start = this.end = 0;
      return this.read();
    }
    if (this.head.framing === CHUNKED) return this.streamChunks();
    const from = this.start;
    const { request } = this;
    const take = Math.min(request.left, this.end - from);
    this.start += take;
    request.left -= take;
    this.streamOut(this.bytes, from, from + take, request.left === 0);
  }

  private streamChunks(): void {
    const { request } = this;
    request.begin(this.end - this.start + 128);
    const progress = this.feedChunks();
    if (progress === BAD) return;
    const { end } = request;
    const piece = request.release();
    if (end === 0) {
      this.proxy.buffers.give(piece);
      return this.streamOn();
    }
    this.streamOut(piece, 0, end, progress === DONE);
  }

  private streamOut(bytes: Uint8Array, from: number, to: number, last: boolean): void {
    if (last) {
      this.requestDone = true;
      this.state = WAIT;
    }
    this.exchange.stream(bytes, from, to, last);
    // What follows the body is not written to while it is sent: reading on waits for the response.
  }

  // ---- The response -----------------------------------------------------------------------------

  private get responseBegun(): boolean {
    return this.exchange.answering || this.outbox.total > 0 || this.outbox.end > 0;
  }

  responseHead(upstream: Upstream): void {
    const { head } = upstream;
    const extras = this.responseExtras;
    const minor = extras.clientMinor;
    if (head.interim) {
      if (minor === 0) return;
    } else {
      if (!this.requestDone) this.keepAlive = false;
      const chunked = chunkedToClient(head, minor);
      this.frame = chunked && head.framing === UNTIL_CLOSE;
      if (!chunked && (head.framing === CHUNKED || head.framing === UNTIL_CLOSE)) {
        upstream.bare = true;
        this.keepAlive = false;
      }
      if (this.proxy.draining) this.keepAlive = false;
      extras.requestId = this.requestExtras.ownId ? this.requestId : NOTHING;
      extras.lines = this.stickyLines();
      extras.dateLine = this.proxy.dateLine;
    }
    extras.keepAlive = this.keepAlive;
    // Room for what this read brings, so that head and content leave in one write.
    const { outbox } = this;
    const out = outbox.room(upstream.bytes.length + RESPONSE_HEAD_ROOM + extras.lines.length);
    outbox.end = writeResponseHead(out, outbox.end, upstream.bytes, head, extras);
  }

  /** The fields of our own; with them the cookie that keeps a client at its replica. */
  private stickyLines(): Uint8Array {
    const { replica } = this.exchange;
    const { match, preferred } = this.admission!;
    const { route } = match.destination;
    if (!route.sticky || replica === null || replica === preferred) return this.lines;
    const secure = this.peer.secure ? "; Secure" : "";
    const cookie = `Set-Cookie: ${stickyCookie(route.app)}=${replica.key}; Path=${route.path}; ` +
      `HttpOnly; SameSite=Lax${secure}\r\n`;
    return ascii(latin1(this.lines, 0, this.lines.length) + cookie);
  }

  responseBody(bytes: Uint8Array, from: number, to: number): void {
    const { outbox } = this;
    const out = outbox.room(to - from + 24);
    let at = outbox.end;
    if (this.frame) at = writeSize(out, at, to - from);
    out.set(bytes.subarray(from, to), at);
    at += to - from;
    if (this.frame) {
      out.set(CRLF, at);
      at += 2;
    }
    outbox.end = at;
  }

  responseEnd(tail: Uint8Array): void {
    const last = this.frame ? LAST_CHUNK : tail;
    if (last.length > 0) this.outbox.add(last);
    this.responseDone = true;
  }

  responseFlush(): boolean {
    const { outbox } = this;
    if (outbox.end === 0) {
      if (this.responseDone) this.afterWrite();
      return true;
    }
    if (outbox.busy) {
      this.held = true;
      return false;
    }
    outbox.flush();
    return true;
  }

  outboxDrained(): void {
    if (this.held) {
      this.held = false;
      this.exchange.resume();
    }
    if (!this.outbox.busy && this.responseDone) this.afterWrite();
  }

  outboxBroke(): void {
    this.destroy();
  }

  private afterWrite(): void {
    if (this.outbox.busy || this.state === CLOSED || this.state === LINGER) return;
    this.log();
    if (!this.requestDone || !this.keepAlive || this.ended) return this.linger();
    this.next();
  }

  private next(): void {
    const { proxy } = this;
    this.state = HEAD_STATE;
    this.responseDone = false;
    this.admission = null;
    this.startMs = 0;
    if (proxy.draining) return this.linger();
    this.deadlineMs = proxy.nowMs + proxy.timeouts.idleMs;
    if (this.start < this.end) {
      this.head.restart(this.start);
      return this.advance();
    }
    if (!this.reading) {
      this.start = this.end = 0;
      // An idle connection keeps a small buffer only.
      if (this.bytes.length > FIRST_READ_BYTES) {
        proxy.buffers.give(this.bytes);
        this.bytes = new Uint8Array(FIRST_READ_BYTES);
      }
    }
    this.head.restart(this.start);
    this.read();
  }

  // ---- Answers of our own, and ends ---------------------------------------------------------------

  refuse(status: number, reason: string, retryAfterS: number): void {
    if (this.state === CLOSED) return;
    if (this.outbox.total > 0 && this.exchange.answering) return this.destroy();
    this.answer({ status, text: reason, retryAfterS });
  }

  private answer(reply: Reply): void {
    const { proxy } = this;
    const { clientMinor } = this.responseExtras;
    proxy.metrics.answered(reply.status);
    if (this.admission === null) this.exchange.attempts = 0;
    if (!this.requestDone || reply.status === 400) this.keepAlive = false;
    const lines = latin1(proxy.dateLine, 0, proxy.dateLine.length) +
      latin1(this.lines, 0, this.lines.length) +
      `X-Request-Id: ${latin1(this.requestId, 0, REQUEST_ID_BYTES)}\r\n`;
    const bytes = replyBytes(this.grpc ? { ...reply, grpc: true } : reply, {
      toHead: this.head.method === HEAD,
      keepAlive: this.keepAlive,
      clientMinor,
      lines,
    });
    this.state = WAIT;
    this.exchange.status = reply.status;
    this.outbox.add(bytes);
    this.responseDone = true;
    if (!this.outbox.busy) this.outbox.flush();
    // Notice pipelined requests and the end, as after any whole request.
    if (this.requestDone && this.keepAlive) this.readAhead();
  }

  abort(): void {
    this.log();
    this.destroy();
  }

  switched(upstream: Upstream): void {
    // A replica that switches before it has the whole request has lost its way.
    if (!this.requestDone || this.reading) return this.destroy();
    const extras = this.responseExtras;
    extras.keepAlive = true;
    const { outbox } = this;
    const out = outbox.room(upstream.bytes.length + RESPONSE_HEAD_ROOM);
    outbox.end = writeResponseHead(out, outbox.end, upstream.bytes, upstream.head, extras);
    this.state = TUNNEL;
    this.deadlineMs = Infinity;
    const first = outbox.takeOut();
    const early = this.bytes.slice(this.start, this.end);
    tunnel(this.connection, first, early, upstream).then((bytesOut) => {
      outbox.total += bytesOut;
      this.exchange.tunnelEnded();
      this.log();
      this.destroy();
    });
  }

  /** Says goodbye so that our last bytes are not lost: ends our side, reads theirs for a while. */
  private linger(): void {
    if (this.ended) return this.destroy();
    this.state = LINGER;
    this.deadlineMs = this.proxy.nowMs + LINGER_MS;
    this.connection.closeWrite().then(() => {
      if (this.state !== LINGER || this.reading) return;
      this.end = 0;
      this.read();
    }, () => this.destroy());
  }

  /** Closes at once. */
  destroy(): void {
    if (this.state === CLOSED) return;
    this.state = CLOSED;
    this.outbox.close();
    this.exchange.abandon();
    this.record();
    closeQuietly(this.connection);
    this.list.clientClosed(this);
  }

  /** Called several times a second: ends what takes too long. */
  check(nowMs: number): void {
    if (nowMs > this.outbox.writeByMs) return this.destroy();
    if (nowMs > this.exchange.deadlineMs) {
      // While the client does not take what it was sent the replica waits for it, not we for it.
      if (!this.outbox.busy) return this.exchange.timeOut();
    }
    if (nowMs <= this.deadlineMs) return;
    this.deadlineMs = Infinity;
    if (this.state === LINGER || (this.state === HEAD_STATE && this.head.untouched)) {
      return this.destroy();
    }
    if (this.state === HEAD_STATE || this.state === GATHER) {
      this.requestDone = false;
      this.answer({ status: 408, text: "the request did not come in time" });
    }
  }

  /** The ingress is stopping: end as soon as nothing is under way. */
  drain(): void {
    if (this.resting) this.linger();
  }

  private record(): void {
    this.span?.end(this.exchange, this.outbox.total);
    this.span = null;
  }

  private log(): void {
    this.record();
    const { exchange, remembered } = this;
    const { accessLog } = this.proxy;
    if (accessLog === null || remembered === null) return;
    this.remembered = null;
    accessLog.add({
      client: this.admission?.client ?? this.peer.address,
      ...remembered,
      protocol: this.peer.http2 ? "HTTP/2.0" : `HTTP/1.${this.head.minor}`,
      status: exchange.status,
      bytesOut: this.outbox.total,
      elapsedMs: Math.round((this.proxy.nowMs - this.startMs) * 1000) / 1000,
      requestId: latin1(this.requestId, 0, REQUEST_ID_BYTES),
      app: this.admission?.match.destination.route.app ?? "",
      replica: exchange.attempts > 0 ? exchange.stat!.replica : "",
      attempts: exchange.attempts,
    }, Date.now());
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
