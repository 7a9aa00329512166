import { ChunkedBody } from "../chunked.ts";
import { BAD, DONE } from "../field_block.ts";
import { CANCEL } from "../h2/frames.ts";
import type { Field } from "../h2/hpack.ts";
import { Session } from "../h2/session.ts";
import type { Stream, StreamUser } from "../h2/stream.ts";
import { BY_LENGTH, CHUNKED, NO_BODY, RequestHead } from "../http1.ts";
import { chunkedTail, http1Response, http2Request, trailerFields } from "../http2.ts";
import type { Connection } from "./connection.ts";
import { Incoming } from "./h2_incoming.ts";
import { Http2Io } from "./http2.ts";

interface Shared {
  readonly session: Session;
  readonly io: Http2Io;
  restingSinceMs: number;
}

/**
 * Connections of HTTP/2 without TLS (RFC 9113 3.3) to one replica, each shared by many requests.
 * For gRPC, which knows nothing else.
 */
export class H2Pool {
  private shared: Shared[] = [];
  private dialing: Promise<Shared> | null = null;

  constructor(
    private readonly hostname: string,
    private readonly port: number,
    private readonly now: () => number,
  ) {}

  /** A stream, as a connection that takes one HTTP/1.1 request. Rejects as `Deno.connect` does. */
  async open(): Promise<Connection> {
    let shared = this.shared.find((each) => each.session.canOpen);
    if (shared === undefined) {
      this.dialing ??= this.dial().finally(() => this.dialing = null);
      shared = await this.dialing;
    }
    return new ClientStream(shared.session, shared.io);
  }

  private async dial(): Promise<Shared> {
    const connection = await Deno.connect({ hostname: this.hostname, port: this.port });
    connection.setNoDelay(true);
    const session = new Session(null);
    const io: Http2Io = new Http2Io(session, connection, this.now, () => {
      this.shared = this.shared.filter((each) => each.io !== io);
    });
    const shared = { session, io, restingSinceMs: this.now() };
    this.shared.push(shared);
    io.begin();
    return shared;
  }

  /** Closes what is at its end, or has carried nothing for longer. */
  expire(nowMs: number, maxIdleMs: number): void {
    for (const each of [...this.shared]) {
      if (each.session.streams.size > 0) each.restingSinceMs = nowMs;
      else if (each.session.peerLeaves || nowMs - each.restingSinceMs > maxIdleMs) each.io.close();
    }
  }

  /** Closes what carries nothing. */
  clear(): void {
    this.expire(Infinity, 0);
  }
}

/** One request on a stream, seen as a connection. */
class ClientStream implements Connection, StreamUser {
  private readonly head = new RequestHead();
  private readonly chunked = new ChunkedBody();
  private readonly incoming: Incoming;
  private stream: Stream | null = null;
  private headed = false;
  private left = 0;
  private broken: ((error: Error) => void) | null = null;

  constructor(private readonly session: Session, private readonly io: Http2Io) {
    this.incoming = new Incoming((bytes) => {
      if (this.stream !== null) session.consumed(this.stream, bytes);
      io.poke();
    });
  }

  onFields(fields: readonly Field[], endStream: boolean): void {
    const { incoming } = this;
    if (this.headed) return incoming.end(incoming.framed ? chunkedTail(fields) : null);
    const { head, chunked } = http1Response(fields, endStream);
    this.headed = !fields[0]![1].startsWith("1");
    incoming.framed = chunked;
    incoming.add(head);
    if (endStream) incoming.end(null);
  }

  onData(bytes: Uint8Array, endStream: boolean): void {
    this.incoming.content(bytes);
    if (endStream) this.incoming.end(this.incoming.framed ? chunkedTail([]) : null);
  }

  onReset(code: number): void {
    const error = new Error(`the stream was reset, code ${code}`);
    this.incoming.fail(error);
    this.broken?.(error);
    this.broken = null;
  }

  // The end of the response is seen by its framing; nothing is read behind it.
  read(into: Uint8Array): Promise<number | null> {
    return this.incoming.read(into, false);
  }

  /** Takes bytes of the HTTP/1.1 request, its head in one piece. */
  async write(bytes: Uint8Array): Promise<number> {
    let at = 0;
    if (this.stream === null) {
      if (!this.session.canOpen) throw new Error("the connection takes no more requests");
      this.head.restart(0);
      if (this.head.parse(bytes, bytes.length) !== DONE) {
        throw new Error(`bug: our own request is no HTTP/1.1: ${this.head.reason}`);
      }
      at = this.head.at;
      const fields = http2Request(bytes, this.head, "http");
      this.stream = this.session.open(this, fields, this.head.framing === NO_BODY);
      this.left = this.head.length;
      this.chunked.restart(true);
      this.io.poke();
    }
    if (at < bytes.length) await this.writeBody(bytes, at);
    return bytes.length;
  }

  private async writeBody(bytes: Uint8Array, from: number): Promise<void> {
    if (this.head.framing === BY_LENGTH) {
      this.left -= bytes.length - from;
      return await this.send(bytes.subarray(from), this.left === 0);
    }
    if (this.head.framing !== CHUNKED) return;
    // Taken apart in place, and the caller may need its bytes again.
    const copy = bytes.slice(from);
    const progress = this.chunked.feed(copy, 0, copy.length);
    if (progress === BAD) throw new Error(`bug: our own chunks are bad: ${this.chunked.reason}`);
    const { outEnd, trailerTail } = this.chunked;
    const trailers = progress === DONE ? trailerFields(trailerTail) : [];
    const last = progress === DONE && trailers.length === 0;
    if (outEnd > 0 || last) await this.send(copy.subarray(0, outEnd), last);
    if (trailers.length > 0) this.session.trailers(this.stream!, trailers);
    this.io.poke();
  }

  private send(bytes: Uint8Array, last: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.incoming.broken) return reject(new Error("the stream was reset"));
      this.broken = reject;
      this.session.data(this.stream!, bytes, last, () => {
        this.broken = null;
        resolve();
      });
      this.io.poke();
    });
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    if (this.stream !== null) {
      this.session.release(this.stream);
      this.session.reset(this.stream, CANCEL);
      this.io.poke();
    }
    this.broken?.(new Error("closed"));
    this.incoming.fail(new Error("closed"));
  }
}
