import { LAST_CHUNK, writeSize } from "../chunked.ts";
import { ascii, latin1 } from "../field_block.ts";
import {
  chunkedToClient,
  RESPONSE_HEAD_ROOM,
  type ResponseExtras,
  writeResponseHead,
} from "../headers.ts";
import { CHUNKED, UNTIL_CLOSE } from "../http1.ts";
import { type Reply, replyBytes } from "../replies.ts";
import type { Connection } from "./connection.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import type { Proxy } from "./proxy.ts";
import type { Upstream } from "./upstream.ts";

const NOTHING: Uint8Array = new Uint8Array(0);
const CRLF = ascii("\r\n");

/** Whose responses are written. */
export interface ResponderOwner {
  /** More of the response may come now. */
  responderReady(): void;
  /** The whole response has been written. */
  responded(): void;
  /** The client does not take it. */
  responderBroke(): void;
}

/** What goes back to a client of HTTP/1: heads, content, and answers of our own. */
export class Responder implements OutboxOwner {
  readonly outbox: Outbox;
  /** The response is handed over whole. */
  done = false;
  /** The client speaks HTTP/1.`clientMinor`. */
  clientMinor = 1;
  private held = false;
  private frame = false;
  private readonly extras: { -readonly [K in keyof ResponseExtras]: ResponseExtras[K] };

  constructor(
    connection: Connection,
    private readonly proxy: Proxy,
    private readonly owner: ResponderOwner,
    private readonly requestId: Uint8Array,
    /** Fields of our own for each response, with their CRLFs. */
    private readonly lines: Uint8Array,
  ) {
    this.outbox = new Outbox(connection, proxy, this);
    this.extras = { clientMinor: 1, keepAlive: true, dateLine: NOTHING, requestId, lines };
  }

  /** Anything of a response has been written or is about to be. */
  get begun(): boolean {
    return this.outbox.total > 0 || this.outbox.end > 0;
  }

  /** A new request has come. */
  restart(): void {
    this.outbox.total = 0;
    this.done = false;
  }

  /**
   * Takes a final head and decides how its content goes on. Returns whether the client's connection
   * can stay open after it.
   */
  frameAs(upstream: Upstream): boolean {
    const { head } = upstream;
    const chunked = chunkedToClient(head, this.clientMinor);
    this.frame = chunked && head.framing === UNTIL_CLOSE;
    if (chunked || (head.framing !== CHUNKED && head.framing !== UNTIL_CLOSE)) return true;
    upstream.bare = true;
    return false;
  }

  /**
   * Writes a head.
   *
   * @param ownId whether the client learns the id that we gave its request
   * @param cookie a further line of our own, or nothing
   */
  head(upstream: Upstream, keepAlive: boolean, ownId: boolean, cookie: string): void {
    const { extras, outbox } = this;
    extras.clientMinor = this.clientMinor;
    extras.keepAlive = keepAlive;
    extras.requestId = ownId ? this.requestId : NOTHING;
    extras.dateLine = this.proxy.dateLine;
    extras.lines = cookie === ""
      ? this.lines
      : ascii(latin1(this.lines, 0, this.lines.length) + cookie);
    // Room for what this read brings, so that head and content leave in one write.
    const out = outbox.room(upstream.bytes.length + RESPONSE_HEAD_ROOM + extras.lines.length);
    outbox.end = writeResponseHead(out, outbox.end, upstream.bytes, upstream.head, extras);
  }

  body(bytes: Uint8Array, from: number, to: number): void {
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

  /** The content is over; `tail` ends its chunks. */
  end(tail: Uint8Array): void {
    const last = this.frame ? LAST_CHUNK : tail;
    if (last.length > 0) this.outbox.add(last);
    this.done = true;
  }

  /** Sends what was handed over. Returns whether more may come now. */
  flush(): boolean {
    const { outbox } = this;
    if (outbox.end === 0) {
      if (this.done) this.owner.responded();
      return true;
    }
    if (outbox.busy) {
      this.held = true;
      return false;
    }
    outbox.flush();
    return true;
  }

  /** Writes an answer of our own. */
  answer(reply: Reply, toHead: boolean, keepAlive: boolean): void {
    const { outbox, proxy, clientMinor } = this;
    const text = (bytes: Uint8Array) => latin1(bytes, 0, bytes.length);
    const lines = `${text(proxy.dateLine)}${text(this.lines)}X-Request-Id: ${
      text(this.requestId)
    }\r\n`;
    outbox.add(replyBytes(reply, { toHead, keepAlive, clientMinor, lines }));
    this.done = true;
    if (!outbox.busy) outbox.flush();
  }

  outboxDrained(): void {
    if (this.held) {
      this.held = false;
      this.owner.responderReady();
    }
    if (!this.outbox.busy && this.done) this.owner.responded();
  }

  outboxBroke(): void {
    this.owner.responderBroke();
  }
}
