import {
  HEAD_BYTES,
  HTTP2_OUT_BYTES,
  HTTP2_STREAMS,
  HTTP2_WINDOW_BYTES,
} from "../../core/limits.ts";
import { ascii } from "../field_block.ts";
import { Blocks } from "./blocks.ts";
import { onGoAway, onPing, onPriority, onSettings, onWindowUpdate } from "./control.ts";
import {
  CANCEL,
  CONTINUATION,
  DATA,
  ENABLE_PUSH,
  ENHANCE_YOUR_CALM,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HEADERS,
  INTERNAL_ERROR,
  MAX_CONCURRENT_STREAMS,
  MAX_HEADER_LIST_SIZE,
  NO_ERROR,
  PING,
  PREFACE,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  REFUSED_STREAM,
  RST_STREAM,
  SETTINGS,
  WINDOW_DEFAULT,
  WINDOW_MAX,
  WINDOW_UPDATE,
  word,
} from "./frames.ts";
import type { Field } from "./hpack.ts";
import { Outgoing, type StreamKeeper } from "./outgoing.ts";
import { Patience } from "./patience.ts";
import { ReceiveWindows, STREAM_WINDOW } from "./receive_windows.ts";
import { Stream, type StreamUser } from "./stream.ts";
import { onContinuation, onData, onHeaders, onReset } from "./stream_frames.ts";
import { BOTH_ENDED, RESET_BY_PEER, RESET_BY_US, StreamIds } from "./stream_ids.ts";

const PREFACE_BYTES = ascii(PREFACE);

/** Who a session belongs to. */
export interface SessionOwner {
  /** A server's session: a new request. Whoever serves it sets `stream.user`. */
  requested(stream: Stream): StreamUser;
}

/**
 * One connection of HTTP/2 (RFC 9113), as server or as client, without its socket: `feed` takes
 * what has come, `take` gives what is to be sent. Strict: what the RFC calls an error is answered
 * as it says, a connection's by GOAWAY and `failed`, a stream's by RST_STREAM. Bounded: streams,
 * windows, field blocks, and frames that ask for work without asking for anything.
 */
export class Session implements StreamKeeper {
  readonly streams = new Map<number, Stream>();
  /** The connection is over once everything was sent. */
  failed = false;
  /** Why, for people. */
  reason = "";
  /** The peer opens, and answers, no more streams. */
  peerLeaves = false;
  /** The peer has said its settings. */
  greeted = false;

  // For the handlers of frames.
  readonly isServer: boolean;
  readonly ids: StreamIds;
  readonly outgoing: Outgoing = new Outgoing(this);
  readonly frames = this.outgoing.frames;
  readonly windows = new ReceiveWindows(this.frames);
  readonly blocks = new Blocks();
  readonly patience = new Patience();
  /** How many streams the peer lets us open. */
  peerStreams = 100;
  /** Streams above it are refused. */
  leavesAfter = Infinity;
  nowMs = 0;

  private input: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  private prefaceAt: number;
  private leaving = false;

  /** @param owner serves what is requested; `null` makes a client. */
  constructor(readonly owner: SessionOwner | null) {
    const server = this.isServer = owner !== null;
    this.ids = new StreamIds(server);
    this.prefaceAt = server ? 0 : PREFACE_BYTES.length;
    if (!server) this.frames.raw(PREFACE_BYTES);
    this.frames.settings([
      ...(server
        ? [[MAX_CONCURRENT_STREAMS, HTTP2_STREAMS] as const]
        : [[ENABLE_PUSH, 0] as const]),
      [MAX_HEADER_LIST_SIZE, HEAD_BYTES],
    ]);
    this.frames.windowUpdate(0, HTTP2_WINDOW_BYTES - WINDOW_DEFAULT);
  }

  /** Bytes that wait to be sent. */
  get waiting(): number {
    return this.frames.length;
  }

  /** When an unfinished field block began; -1 while there is none. */
  get blockSinceMs(): number {
    return this.blocks.sinceMs;
  }

  /** What is to be sent now; `null` if nothing. Content is added only while `room` says so. */
  take(room = true): Uint8Array<ArrayBuffer> | null {
    if (room && !this.failed) this.outgoing.sendContent();
    return this.frames.take();
  }

  // ---- What comes ---------------------------------------------------------------------------------

  /** Takes in what has come. */
  feed(bytes: Uint8Array, nowMs: number): void {
    if (this.failed) return;
    this.nowMs = nowMs;
    let input = bytes;
    if (this.input.length > 0) {
      const joined = new Uint8Array(this.input.length + bytes.length);
      joined.set(this.input);
      joined.set(bytes, this.input.length);
      input = joined;
    }
    let at = this.takePreface(input);
    while (!this.failed && input.length - at >= FRAME_HEAD_BYTES) {
      const length = input[at]! << 16 | input[at + 1]! << 8 | input[at + 2]!;
      if (length > FRAME_BYTES) {
        this.fail(FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
        break;
      }
      if (input.length - at < FRAME_HEAD_BYTES + length) break;
      const type = input[at + 3]!;
      const flags = input[at + 4]!;
      const stream = word(input, at + 5) & 0x7fffffff;
      const from = at + FRAME_HEAD_BYTES;
      at = from + length;
      this.frame(type, flags, stream, input.subarray(from, at));
    }
    this.input = input.slice(at);
    if (this.waiting > HTTP2_OUT_BYTES) this.fail(ENHANCE_YOUR_CALM, "it does not read");
  }

  private takePreface(input: Uint8Array): number {
    let at = 0;
    while (this.prefaceAt < PREFACE_BYTES.length && at < input.length) {
      if (input[at] !== PREFACE_BYTES[this.prefaceAt]) {
        this.fail(PROTOCOL_ERROR, "no preface of HTTP/2");
        return at;
      }
      this.prefaceAt++;
      at++;
    }
    return at;
  }

  private frame(type: number, flags: number, id: number, payload: Uint8Array): void {
    if (!this.greeted && type !== SETTINGS) return this.fail(PROTOCOL_ERROR, "no SETTINGS first");
    const block = this.blocks.current;
    if (block !== null && (type !== CONTINUATION || id !== block.stream)) {
      return this.fail(PROTOCOL_ERROR, "a frame within a field block");
    }
    switch (type) {
      case DATA:
        return onData(this, flags, id, payload);
      case HEADERS:
        return onHeaders(this, flags, id, payload);
      case PRIORITY:
        return onPriority(this, id, payload);
      case RST_STREAM:
        return onReset(this, id, payload);
      case SETTINGS:
        return onSettings(this, flags, id, payload);
      case PUSH_PROMISE:
        return this.fail(PROTOCOL_ERROR, "PUSH_PROMISE");
      case PING:
        return onPing(this, flags, id, payload);
      case GOAWAY:
        return onGoAway(this, id, payload);
      case WINDOW_UPDATE:
        return onWindowUpdate(this, id, payload);
      case CONTINUATION:
        return onContinuation(this, flags, payload);
      default:
        // Of an extension that we do not know (5.5).
        return this.noise("an unknown frame");
    }
  }

  /** Counts what costs us work and gets the peer nothing; too much of it ends the connection. */
  noise(what: string): void {
    if (this.patience.noiseAt(this.nowMs)) return;
    this.fail(ENHANCE_YOUR_CALM, `${what}, again and again`);
  }

  /** The peer leaves: what a server will not do is over, the rest goes on. */
  peerLeft(lastStream: number): void {
    this.peerLeaves = true;
    if (this.isServer) return;
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= lastStream) continue;
      this.remove(stream, RESET_BY_PEER);
      stream.user?.onReset(REFUSED_STREAM);
    }
  }

  // ---- What goes ----------------------------------------------------------------------------------

  /** Whether another stream can be opened (by a client). */
  get canOpen(): boolean {
    return !this.failed && !this.peerLeaves && this.streams.size < this.peerStreams &&
      this.ids.next < WINDOW_MAX;
  }

  /** A client's session: sends a request's head. */
  open(user: StreamUser, fields: Iterable<Field>, endStream: boolean): Stream {
    const stream = this.add(this.ids.next);
    this.ids.next += 2;
    stream.user = user;
    this.head(stream, fields, endStream);
    return stream;
  }

  /** Sends a field section ahead of content. */
  head(stream: Stream, fields: Iterable<Field>, endStream: boolean): void {
    if (this.isOpen(stream)) this.outgoing.fields(stream, fields, endStream);
  }

  /** Sends content as the windows allow; one piece at a time. `sent` is called when it is gone. */
  data(stream: Stream, bytes: Uint8Array, endStream: boolean, sent: () => void): void {
    if (this.isOpen(stream)) this.outgoing.data(stream, bytes, endStream, sent);
  }

  /** Sends trailers, and with them the end, once no content is pending. */
  trailers(stream: Stream, fields: readonly Field[]): void {
    if (!this.isOpen(stream)) return;
    if (fields.length === 0) this.outgoing.end(stream);
    else this.outgoing.fields(stream, fields, true);
  }

  /** Ends a stream before its time; nothing if it is over. */
  reset(stream: Stream, code: number): void {
    if (this.streams.get(stream.id) !== stream) return;
    this.frames.reset(stream.id, code);
    this.remove(stream, RESET_BY_US);
  }

  /** The user has taken so many bytes of what came. */
  consumed(stream: Stream, bytes: number): void {
    // What was given back when the stream ended is not given twice.
    const counted = Math.min(bytes, stream.buffered);
    stream.buffered -= counted;
    this.creditStream(stream, counted);
  }

  /** The user takes no more of what came. */
  release(stream: Stream): void {
    this.consumed(stream, stream.buffered);
  }

  /** So much of the stream has been taken: both windows open. */
  creditStream(stream: Stream, bytes: number): void {
    if (bytes === 0) return;
    this.credit(bytes);
    if (stream.remoteEnded || this.streams.get(stream.id) !== stream) return;
    this.windows.creditStream(stream, bytes);
  }

  /** The same of the connection alone. */
  credit(bytes: number): void {
    if (!this.failed) this.windows.credit(bytes);
  }

  // ---- Streams and the connection begin and end ----------------------------------------------------

  isOpen(stream: Stream): boolean {
    return !this.failed && !stream.localEnded && this.streams.get(stream.id) === stream;
  }

  ended(stream: Stream): void {
    stream.localEnded = true;
    this.endIfOver(stream);
  }

  /** Both sides have said their last: the stream is over. */
  endIfOver(stream: Stream): void {
    if (stream.localEnded && stream.remoteEnded) this.remove(stream, BOTH_ENDED);
  }

  add(id: number): Stream {
    const stream = new Stream(id, this.outgoing.streamWindow, STREAM_WINDOW);
    this.streams.set(id, stream);
    return stream;
  }

  remove(stream: Stream, how: number): void {
    if (!this.streams.delete(stream.id)) return;
    if (how === BOTH_ENDED) this.patience.finish();
    stream.pending = null;
    this.ids.remember(stream.id, how);
    // What nobody will take any more is taken.
    if (stream.buffered > 0 && how !== BOTH_ENDED) {
      this.credit(stream.buffered);
      stream.buffered = 0;
    }
  }

  /** The peer did wrong on one stream: that ends. */
  streamError(stream: Stream, code: number): void {
    this.reset(stream, code);
    stream.user?.onReset(code);
    this.noise("a stream in error");
  }

  /** Says that no new stream is served; `settleLeave` follows a round trip later. */
  leave(): void {
    if (this.failed) return;
    this.frames.goAway(WINDOW_MAX, NO_ERROR);
    this.frames.frame(PING, 0, 0, new Uint8Array(8));
    this.leaving = true;
  }

  /** The peer has heard that we leave: what comes now is refused. */
  settleLeave(): void {
    if (!this.leaving || this.failed || this.leavesAfter !== Infinity) return;
    this.leavesAfter = this.ids.lastOfPeer;
    this.frames.goAway(this.ids.lastOfPeer, NO_ERROR);
  }

  /** Whether a leaving session has nothing more to do. */
  get left(): boolean {
    return this.leavesAfter !== Infinity && this.streams.size === 0;
  }

  /** Ends the connection: GOAWAY, then nothing. */
  fail(code: number, reason: string): void {
    if (this.failed) return;
    this.failed = true;
    this.reason = reason;
    this.frames.goAway(this.ids.lastOfPeer, code);
    this.lost(code === NO_ERROR ? CANCEL : INTERNAL_ERROR);
  }

  /** The connection is gone. */
  lost(code = CANCEL): void {
    this.failed = true;
    const streams = [...this.streams.values()];
    this.streams.clear();
    for (const stream of streams) {
      stream.pending = null;
      stream.user?.onReset(code);
    }
  }
}
