import http2, { type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import { HEAD_BYTES, HEAD_FIELDS, HTTP2_RESETS, HTTP2_STREAMS } from "../../core/limits.ts";
import { ChunkedBody, writeSize } from "../chunked.ts";
import { BAD, DONE } from "../field_block.ts";
import { CHUNKED, NO_BODY, ResponseHead } from "../http1.ts";
import {
  chunkedTail,
  type HeaderList,
  http1Request,
  http2Response,
  trailerList,
} from "../http2.ts";
import type { Connection } from "./connection.ts";

const {
  NGHTTP2_CANCEL,
  NGHTTP2_PROTOCOL_ERROR,
} = http2.constants;

/** A session of HTTP/2, each of whose streams is served like a connection with one request. */
export interface Http2Session {
  /** No new streams; ends when the last one has. */
  drain(): void;
  destroy(): void;
}

/**
 * Speaks HTTP/2 on a TLS connection that has agreed on it.
 *
 * @param serve takes a stream as a connection that carries one HTTP/1.1 request
 * @param closed is called once, when the session is over
 */
export function serveHttp2(
  socket: TLSSocket,
  idleMs: number,
  serve: (connection: Connection) => void,
  closed: () => void,
): Http2Session {
  const session: ServerHttp2Session = http2.performServerHandshake(socket, {
    maxHeaderListPairs: HEAD_FIELDS,
    settings: {
      maxConcurrentStreams: HTTP2_STREAMS,
      maxHeaderListSize: HEAD_BYTES,
      enablePush: false,
    },
  });
  let resets = 0;
  // Not `session.destroy`: its GOAWAY, sent while nghttp2 walks its streams, trips an assertion that
  // aborts the whole process (Deno 2.9). Later, because we may be called by nghttp2 ourselves.
  const end = () => void setTimeout(() => socket.destroy(), 0);
  session.on("stream", (stream, headers, flags) => {
    stream.on("error", () => {});
    stream.on("close", () => {
      // Opening streams only to reset them costs us more than the client.
      if (stream.rstCode !== 0 && ++resets === HTTP2_RESETS) end();
    });
    const endStream = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    serveStream(stream, headers as HeaderList, endStream, serve);
  });
  session.on("error", end);
  session.setTimeout(idleMs, () => session.close());
  session.on("close", closed);
  return { drain: () => session.close(), destroy: () => void socket.destroy() };
}

function serveStream(
  stream: ServerHttp2Stream,
  headers: HeaderList,
  endStream: boolean,
  serve: (connection: Connection) => void,
): void {
  const request = http1Request(headers, endStream);
  if (request.kind === "malformed") return stream.close(NGHTTP2_PROTOCOL_ERROR);
  if (request.expects) stream.additionalHeaders({ ":status": 100 });
  serve(new StreamConnection(stream, request.head, request.length, request.toHead));
}

/** One stream, seen as a connection on which a client sends one HTTP/1.1 request. */
class StreamConnection implements Connection {
  private readonly head = new ResponseHead();
  private readonly chunked = new ChunkedBody();
  private answered = false;
  private finished = false;
  private waiting: {
    into: Uint8Array;
    resolve(count: number | null): void;
    reject(error: Error): void;
  } | null = null;
  private pending: Uint8Array | null;
  private bodyEnded: boolean;
  private trailers: HeaderList | null = null;
  private received = 0;
  private broken = false;

  constructor(
    private readonly stream: ServerHttp2Stream,
    requestHead: Uint8Array,
    private readonly length: number | null,
    private readonly toHead: boolean,
  ) {
    this.pending = requestHead;
    this.bodyEnded = length === 0;
    stream.on("readable", () => this.pull());
    stream.on("trailers", (list) => this.trailers = list as HeaderList);
    stream.on("end", () => this.onEnd());
    stream.on("aborted", () => this.fail());
    stream.on("close", () => this.fail());
    if (length === 0) stream.resume();
  }

  private onEnd(): void {
    if (this.bodyEnded) return;
    this.bodyEnded = true;
    if (this.length !== null && this.received !== this.length) return this.refuse();
    if (this.length === null) this.append(chunkedTail(this.trailers ?? {}));
    this.pull();
  }

  // The content is not as long as was said (RFC 9113 8.1.1).
  private refuse(): void {
    if (this.answered) this.stream.destroy(new Error("content is not as long as was said"));
    else this.stream.close(NGHTTP2_PROTOCOL_ERROR);
    this.fail();
  }

  private append(bytes: Uint8Array): void {
    this.pending = this.pending === null ? bytes : Buffer.concat([this.pending, bytes]);
  }

  read(into: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.waiting = { into, resolve, reject };
      this.pull();
    });
  }

  private pull(): void {
    if (this.waiting === null) return;
    if (this.pending === null && !this.bodyEnded) this.takeData();
    const { waiting, pending } = this;
    if (waiting === null) return;
    if (pending !== null) {
      const count = Math.min(pending.length, waiting.into.length);
      waiting.into.set(pending.subarray(0, count));
      this.pending = count < pending.length ? pending.subarray(count) : null;
      this.waiting = null;
      waiting.resolve(count);
    } else if (this.finished) {
      this.waiting = null;
      waiting.resolve(null);
    } else if (this.broken) this.fail();
  }

  private takeData(): void {
    const data = this.stream.read() as Uint8Array | null;
    if (data === null || data.length === 0) return;
    this.received += data.length;
    if (this.length !== null) {
      if (this.received > this.length) return this.refuse();
      return this.append(data);
    }
    const framed = new Uint8Array(data.length + 20);
    const at = writeSize(framed, 0, data.length);
    framed.set(data, at);
    framed[at + data.length] = 0x0d;
    framed[at + data.length + 1] = 0x0a;
    this.append(framed.subarray(0, at + data.length + 2));
  }

  private fail(): void {
    this.broken = true;
    const { waiting } = this;
    this.waiting = null;
    waiting?.reject(new Error("the stream was reset"));
  }

  /** Takes bytes of the HTTP/1.1 response; whole heads, because that is how they are written. */
  async write(bytes: Uint8Array): Promise<number> {
    if (this.broken || this.stream.destroyed) throw new Error("the stream was reset");
    let at = 0;
    while (!this.answered && at < bytes.length) {
      this.head.restart(at);
      if (this.head.parse(bytes, bytes.length, this.toHead) !== DONE) {
        throw new Error(`bug: our own response is no HTTP/1.1: ${this.head.reason}`);
      }
      at = this.head.at;
      this.respond(bytes);
    }
    if (at < bytes.length && !this.finished) await this.writeBody(bytes, at);
    return bytes.length;
  }

  private respond(bytes: Uint8Array): void {
    const { head, stream } = this;
    const list = http2Response(bytes, head);
    if (head.interim) return void stream.additionalHeaders(list);
    this.answered = true;
    const endStream = head.framing === NO_BODY;
    stream.respond(list, { endStream, waitForTrailers: head.framing === CHUNKED });
    if (endStream) this.finished = true;
    if (head.framing === CHUNKED) this.chunked.restart(true);
    this.left = head.length;
  }

  private left = 0;

  private async writeBody(bytes: Uint8Array, from: number): Promise<void> {
    if (this.head.framing !== CHUNKED) {
      this.left -= bytes.length - from;
      await this.send(bytes.subarray(from));
      if (this.left === 0) this.end();
      return;
    }
    const progress = this.chunked.feed(bytes, from, bytes.length);
    if (progress === BAD) throw new Error(`bug: our own chunks are bad: ${this.chunked.reason}`);
    if (this.chunked.outEnd > from) await this.send(bytes.subarray(from, this.chunked.outEnd));
    if (progress !== DONE) return;
    const list = trailerList(this.chunked.trailerTail);
    this.stream.once("wantTrailers", () => this.stream.sendTrailers(list));
    this.end();
  }

  private send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.broken) return reject(new Error("the stream was reset"));
      const lost = () => reject(new Error("the stream was reset"));
      this.stream.once("close", lost);
      this.stream.write(bytes, (error) => {
        this.stream.off("close", lost);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  private end(): void {
    this.finished = true;
    this.stream.end();
    this.pull();
  }

  closeWrite(): Promise<void> {
    this.finished = true;
    this.pull();
    return Promise.resolve();
  }

  close(): void {
    const { stream } = this;
    if (stream.destroyed) return;
    // Not `stream.close`: after a response has begun that ends it as if it were whole.
    if (!this.finished) stream.destroy(new Error("the response was cut short"));
    // The answer is whole, the rest of the request is not wanted.
    else if (!this.bodyEnded) stream.close(NGHTTP2_CANCEL);
  }
}
