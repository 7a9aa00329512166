import {
  FRAME_BYTES,
  INTERNAL_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
} from "../h2/frames.ts";
import type { Field } from "../h2/hpack.ts";
import { Session } from "../h2/session.ts";
import { TOO_LARGE } from "../h2/stream_frames.ts";
import type { Stream, StreamUser } from "../h2/stream.ts";
import { ChunkedBody } from "../chunked.ts";
import { BAD, DONE } from "../field_block.ts";
import { CHUNKED, NO_BODY, ResponseHead } from "../http1.ts";
import { chunkedTail, http1Request, http2Response, trailerFields } from "../http2.ts";
import { closeQuietly, type Connection } from "./connection.ts";
import { Incoming } from "./h2_incoming.ts";

/** A session of HTTP/2, each of whose streams is served like a connection with one request. */
export interface Http2Session {
  /** No new streams; ends when the last one has. */
  drain(): void;
  destroy(): void;
  /** Called several times a second: ends what takes too long. */
  check(nowMs: number): void;
}

/** How long a session may take, in ms. */
export interface Http2Times {
  /** For its beginning, and for a field block. */
  readonly headMs: number;
  /** Without a stream. */
  readonly idleMs: number;
  /** For the peer to take what was sent to it. */
  readonly writeMs: number;
}

const LEAVE_MS = 1_000;

/** What has come and what goes on one connection of HTTP/2, whichever side we are. */
export class Http2Io {
  private readonly buffer = new Uint8Array(FRAME_BYTES);
  private writing = false;
  private poked = false;
  private closed = false;
  /** Since when a write is under way; Infinity while none is. */
  writeSinceMs = Infinity;

  constructor(
    readonly session: Session,
    private readonly connection: Connection,
    private readonly now: () => number,
    private readonly ended: () => void,
  ) {}

  /** Begins to read and write. */
  begin(): void {
    this.flush();
    this.read();
  }

  private read(): void {
    this.connection.read(this.buffer).then(this.onRead, this.onBroken);
  }

  private readonly onRead = (count: number | null) => {
    if (this.closed) return;
    if (count === null) return this.onBroken();
    this.session.feed(this.buffer.subarray(0, count), this.now());
    this.flush();
    if (!this.session.failed) this.read();
  };

  private readonly onBroken = () => {
    if (!this.session.failed) this.session.lost();
    this.close();
  };

  /** Something is to be sent: it is, together with whatever else comes up now. */
  poke(): void {
    if (this.poked || this.writing) return;
    this.poked = true;
    queueMicrotask(() => {
      this.poked = false;
      this.flush();
    });
  }

  private flush(): void {
    if (this.writing || this.closed) return;
    const bytes = this.session.take();
    if (bytes === null) {
      if (this.session.failed) this.finish();
      return;
    }
    this.writing = true;
    this.writeSinceMs = this.now();
    this.write(bytes);
  }

  private write(bytes: Uint8Array): void {
    this.connection.write(bytes).then((count) => {
      if (count < bytes.length && !this.closed) {
        this.writeSinceMs = this.now();
        return this.write(bytes.subarray(count));
      }
      this.writing = false;
      this.writeSinceMs = Infinity;
      this.flush();
    }, this.onBroken);
  }

  // Our last word is a GOAWAY: it is to arrive before the connection ends.
  private finish(): void {
    this.connection.closeWrite().then(() => setTimeout(() => this.close(), 50), () => this.close());
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (!this.session.failed) this.session.lost();
    closeQuietly(this.connection);
    this.ended();
  }
}

/**
 * Speaks HTTP/2 on a connection that has agreed on it.
 *
 * @param hasRoom whether another request may be served; else it is refused, and may come again
 * @param serve takes a stream as a connection that carries one HTTP/1.1 request
 * @param closed is called once, when the session is over
 */
export function serveHttp2(
  connection: Connection,
  times: Http2Times,
  now: () => number,
  hasRoom: () => boolean,
  serve: (connection: Connection) => void,
  closed: () => void,
): Http2Session {
  const session: Session = new Session({
    requested: (stream) => new ServerStream(stream, session, io, hasRoom, serve),
  });
  const io: Http2Io = new Http2Io(session, connection, now, closed);
  const startMs = now();
  let restingSinceMs = startMs;
  let leaveMs = Infinity;
  io.begin();
  const drain = () => {
    if (leaveMs !== Infinity) return;
    leaveMs = now() + LEAVE_MS;
    session.leave();
    io.poke();
  };
  return {
    drain,
    destroy: () => io.close(),
    check(nowMs) {
      if (session.streams.size > 0) restingSinceMs = nowMs;
      const { blockSinceMs } = session;
      if (
        (!session.greeted && nowMs - startMs > times.headMs) ||
        (blockSinceMs >= 0 && nowMs - blockSinceMs > times.headMs) ||
        nowMs - io.writeSinceMs > times.writeMs
      ) return io.close();
      if (nowMs - restingSinceMs > times.idleMs) drain();
      if (nowMs > leaveMs) session.settleLeave();
      const done = session.peerLeaves && session.streams.size === 0;
      if (done || session.left) session.fail(NO_ERROR, "left");
      io.poke();
    },
  };
}

/** One stream, seen as a connection on which a client sends one HTTP/1.1 request. */
class ServerStream implements Connection, StreamUser {
  private readonly head = new ResponseHead();
  private readonly chunked = new ChunkedBody();
  private readonly incoming: Incoming;
  private headed = false;
  private answered = false;
  private finished = false;
  private toHead = false;
  private left = 0;

  constructor(
    private readonly stream: Stream,
    private readonly session: Session,
    private readonly io: Http2Io,
    private readonly hasRoom: () => boolean,
    private readonly serve: (connection: Connection) => void,
  ) {
    this.incoming = new Incoming((bytes) => {
      session.consumed(stream, bytes);
      io.poke();
    });
  }

  onFields(fields: readonly Field[], endStream: boolean): void {
    if (this.headed) {
      // Trailers end the content.
      return this.incoming.end(this.incoming.framed ? chunkedTail(fields) : null);
    }
    this.headed = true;
    if (!this.hasRoom()) return this.session.reset(this.stream, REFUSED_STREAM);
    if (fields.at(-1) === TOO_LARGE) {
      this.session.head(this.stream, [[":status", "431"], ["content-length", "0"]], true);
      return this.session.reset(this.stream, NO_ERROR);
    }
    const request = http1Request(fields, endStream);
    this.toHead = request.toHead;
    this.incoming.framed = request.length === null;
    this.incoming.add(request.head);
    if (endStream) this.incoming.end(null);
    if (request.expects) this.session.head(this.stream, [[":status", "100"]], false);
    this.serve(this);
  }

  onData(bytes: Uint8Array, endStream: boolean): void {
    this.incoming.content(bytes);
    if (endStream) this.incoming.end(this.incoming.framed ? chunkedTail([]) : null);
  }

  onReset(): void {
    this.incoming.fail(new Error("the stream was reset"));
    this.broken?.(new Error("the stream was reset"));
  }

  // The request is followed by nothing: its end is seen only when we have answered.
  read(into: Uint8Array): Promise<number | null> {
    return this.incoming.read(into, this.finished);
  }

  private broken: ((error: Error) => void) | null = null;

  /** Takes bytes of the HTTP/1.1 response; whole heads, because that is how they are written. */
  async write(bytes: Uint8Array): Promise<number> {
    if (this.incoming.broken) throw new Error("the stream was reset");
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
    const { head, session, stream } = this;
    const endStream = !head.interim && head.framing === NO_BODY;
    session.head(stream, http2Response(bytes, head), endStream);
    this.io.poke();
    if (head.interim) return;
    this.answered = true;
    if (endStream) this.finish();
    if (head.framing === CHUNKED) this.chunked.restart(true);
    this.left = head.length;
  }

  private async writeBody(bytes: Uint8Array, from: number): Promise<void> {
    if (this.head.framing !== CHUNKED) {
      this.left -= bytes.length - from;
      const last = this.left === 0;
      await this.send(bytes.subarray(from), last);
      if (last) this.finish();
      return;
    }
    const progress = this.chunked.feed(bytes, from, bytes.length);
    if (progress === BAD) throw new Error(`bug: our own chunks are bad: ${this.chunked.reason}`);
    const { outEnd, trailerTail } = this.chunked;
    const trailers = progress === DONE ? trailerFields(trailerTail) : [];
    const last = progress === DONE && trailers.length === 0;
    if (outEnd > from || last) await this.send(bytes.subarray(from, outEnd), last);
    if (progress !== DONE) return;
    if (!last) this.session.trailers(this.stream, trailers);
    this.io.poke();
    this.finish();
  }

  private send(bytes: Uint8Array, last: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.broken = reject;
      this.session.data(this.stream, bytes, last, () => {
        this.broken = null;
        resolve();
      });
      this.io.poke();
    });
  }

  private finish(): void {
    this.finished = true;
    this.incoming.wake(true);
  }

  closeWrite(): Promise<void> {
    this.finish();
    return Promise.resolve();
  }

  close(): void {
    const { session, stream } = this;
    session.release(stream);
    // Before the response is whole it must not look so; after it, the rest is not wanted.
    if (!this.finished) session.reset(stream, this.answered ? INTERNAL_ERROR : PROTOCOL_ERROR);
    else session.reset(stream, NO_ERROR);
    this.incoming.fail(new Error("closed"));
    this.io.poke();
  }
}
