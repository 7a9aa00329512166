import {
  HEAD_BYTES,
  HTTP2_BLOCK_BYTES,
  HTTP2_NOISE,
  HTTP2_NOISE_MS,
  HTTP2_OUT_BYTES,
  HTTP2_RESETS,
  HTTP2_STREAMS,
  HTTP2_WINDOW_BYTES,
} from "../../core/limits.ts";
import { ascii } from "../field_block.ts";
import {
  ACK,
  CANCEL,
  COMPRESSION_ERROR,
  CONTINUATION,
  DATA,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  FRAME_SIZE_ERROR,
  FrameWriter,
  GOAWAY,
  HAS_PRIORITY,
  HEADER_TABLE_SIZE,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  INTERNAL_ERROR,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  MAX_HEADER_LIST_SIZE,
  NO_ERROR,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  REFUSED_STREAM,
  RST_STREAM,
  SETTINGS,
  STREAM_CLOSED,
  WINDOW_DEFAULT,
  WINDOW_MAX,
  WINDOW_UPDATE,
} from "./frames.ts";
import { CompressionError, Decoder, encodeFields, type Field, TABLE_BYTES } from "./hpack.ts";
import { malformedFields } from "./rules.ts";
import { type Pending, Stream, type StreamUser } from "./stream.ts";

const PREFACE_BYTES = ascii(PREFACE);
const NOTHING = new Uint8Array(0);
const STREAM_WINDOW = WINDOW_DEFAULT;
/** In a field block: the table is to hold no bytes. */
const NO_TABLE = 0x20;
/** Streams remembered after their end, to tell a late frame from a wrong one. */
const PAST_STREAMS = 512;

// How a stream that is past has ended.
const BOTH_ENDED = 1;
const RESET_BY_PEER = 2;
const RESET_BY_US = 3;

/** Who a session belongs to. */
export interface SessionOwner {
  /** A server's session: a new request. Whoever serves it sets `stream.user`. */
  requested(stream: Stream): StreamUser;
}

/** A field block that comes in pieces. */
interface Block {
  readonly stream: number;
  readonly endStream: boolean;
  /** The stream depends on itself. */
  readonly selfish: boolean;
  readonly parts: Uint8Array[];
  bytes: number;
  frames: number;
}

/**
 * One connection of HTTP/2 (RFC 9113), as server or as client, without its socket: `feed` takes
 * what has come, `take` gives what is to be sent. Strict: what the RFC calls an error is answered
 * as it says, a connection's by GOAWAY and `failed`, a stream's by RST_STREAM. Bounded: streams,
 * windows, field blocks, and frames that ask for work without asking for anything.
 */
export class Session {
  readonly streams = new Map<number, Stream>();
  /** The connection is over once everything was sent. */
  failed = false;
  /** Why, for people. */
  reason = "";
  /** The peer opens, and answers, no more streams. */
  peerLeaves = false;
  /** When an unfinished field block began; -1 while there is none. */
  blockSinceMs = -1;
  /** The peer has said its settings. */
  greeted = false;

  private readonly out = new FrameWriter();
  private readonly decoder = new Decoder();
  private readonly past = new Map<number, number>();
  private input: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  private prefaceAt: number;
  private block: Block | null = null;
  private lastPeerStream = 0;
  private nextStream = 1;
  private sendWindow = WINDOW_DEFAULT;
  private receiveWindow = HTTP2_WINDOW_BYTES;
  private taken = 0;
  private peerWindow = WINDOW_DEFAULT;
  private peerFrameBytes = FRAME_BYTES;
  private peerStreams = 100;
  private ready: Stream[] = [];
  private leavesAfter = Infinity;
  /** A table of no bytes is to be said before the next block; it was. */
  private tableGoes = false;
  private tableGone = false;
  private resets = 0;
  private finished = 0;
  private noise = 0;
  private noiseSinceMs = 0;
  private nowMs = 0;

  constructor(private readonly owner: SessionOwner | null) {
    const server = owner !== null;
    this.prefaceAt = server ? 0 : PREFACE_BYTES.length;
    if (!server) this.out.raw(PREFACE_BYTES);
    this.out.settings([
      ...(server
        ? [[MAX_CONCURRENT_STREAMS, HTTP2_STREAMS] as const]
        : [[ENABLE_PUSH, 0] as const]),
      [MAX_HEADER_LIST_SIZE, HEAD_BYTES],
    ]);
    this.out.windowUpdate(0, HTTP2_WINDOW_BYTES - WINDOW_DEFAULT);
  }

  /** Bytes that wait to be sent. */
  get waiting(): number {
    return this.out.length;
  }

  /** What is to be sent now; `null` if nothing. Content is added only while `room` says so. */
  take(room = true): Uint8Array<ArrayBuffer> | null {
    if (room && !this.failed) this.sendContent();
    return this.out.take();
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
    if (this.out.length > HTTP2_OUT_BYTES) this.fail(ENHANCE_YOUR_CALM, "it does not read");
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
    if (this.block !== null && (type !== CONTINUATION || id !== this.block.stream)) {
      return this.fail(PROTOCOL_ERROR, "a frame within a field block");
    }
    switch (type) {
      case DATA:
        return this.onData(flags, id, payload);
      case HEADERS:
        return this.onHeaders(flags, id, payload);
      case PRIORITY:
        return this.onPriority(id, payload);
      case RST_STREAM:
        return this.onReset(id, payload);
      case SETTINGS:
        return this.onSettings(flags, id, payload);
      case PUSH_PROMISE:
        return this.fail(PROTOCOL_ERROR, "PUSH_PROMISE");
      case PING:
        return this.onPing(flags, id, payload);
      case GOAWAY:
        return this.onGoAway(id, payload);
      case WINDOW_UPDATE:
        return this.onWindowUpdate(id, payload);
      case CONTINUATION:
        return this.onContinuation(flags, payload);
      default:
        // Of an extension that we do not know (5.5).
        return this.made("an unknown frame");
    }
  }

  /** Counts what costs us work and gets the peer nothing; too much of it ends the connection. */
  private made(what: string): void {
    if (this.nowMs - this.noiseSinceMs > HTTP2_NOISE_MS) {
      this.noiseSinceMs = this.nowMs;
      this.noise = 0;
    }
    if (++this.noise > HTTP2_NOISE) this.fail(ENHANCE_YOUR_CALM, `${what}, again and again`);
  }

  /** Opened by the peer or us at some time. */
  private isIdle(id: number): boolean {
    const theirs = (id % 2 === 1) === (this.owner !== null);
    return theirs ? id > this.lastPeerStream : id >= this.nextStream;
  }

  private unpadded(flags: number, payload: Uint8Array): Uint8Array | null {
    if ((flags & PADDED) === 0) return payload;
    if (payload.length === 0) {
      this.fail(FRAME_SIZE_ERROR, "a padded frame of no bytes");
      return null;
    }
    const padding = payload[0]!;
    if (padding >= payload.length) {
      this.fail(PROTOCOL_ERROR, "more padding than frame");
      return null;
    }
    return payload.subarray(1, payload.length - padding);
  }

  private onData(flags: number, id: number, payload: Uint8Array): void {
    if (id === 0) return this.fail(PROTOCOL_ERROR, "DATA on stream 0");
    if (this.isIdle(id)) return this.fail(PROTOCOL_ERROR, "DATA on an idle stream");
    const content = this.unpadded(flags, payload);
    if (content === null) return;
    if (payload.length > this.receiveWindow) {
      return this.fail(FLOW_CONTROL_ERROR, "more DATA than the connection's window");
    }
    this.receiveWindow -= payload.length;
    const stream = this.streams.get(id);
    if (stream === undefined || stream.remoteEnded) {
      this.credit(payload.length);
      return this.late(id, stream, "DATA");
    }
    if (!stream.headed) return this.fail(PROTOCOL_ERROR, "DATA before HEADERS");
    if (payload.length > stream.receiveWindow) {
      this.credit(payload.length);
      return this.streamError(stream, FLOW_CONTROL_ERROR);
    }
    const endStream = (flags & END_STREAM) !== 0;
    if (content.length === 0 && !endStream) this.made("empty DATA");
    stream.receiveWindow -= payload.length;
    stream.received += content.length;
    stream.buffered += content.length;
    // Padding is taken at once.
    this.creditStream(stream, payload.length - content.length);
    if (!this.fitsAnnounced(stream, endStream)) return;
    if (endStream) stream.remoteEnded = true;
    stream.user?.onData(content, endStream);
    this.endIfOver(stream);
  }

  /** The content is as long as was said (8.1.1). */
  private fitsAnnounced(stream: Stream, endStream: boolean): boolean {
    const { announced, received } = stream;
    if (announced === null) return true;
    if (received <= announced && (!endStream || received === announced)) return true;
    this.streamError(stream, PROTOCOL_ERROR);
    return false;
  }

  /** A frame came on a stream of which the peer has said its last. */
  private late(id: number, stream: Stream | undefined, what: string): void {
    if (stream !== undefined) return this.streamError(stream, STREAM_CLOSED);
    switch (this.past.get(id)) {
      case RESET_BY_US:
        // It was on its way.
        return this.made(what);
      case RESET_BY_PEER:
        this.made(what);
        return this.out.reset(id, STREAM_CLOSED);
      default:
        return this.fail(STREAM_CLOSED, `${what} on a closed stream`);
    }
  }

  private onHeaders(flags: number, id: number, payload: Uint8Array): void {
    if (id === 0) return this.fail(PROTOCOL_ERROR, "HEADERS on stream 0");
    let block = this.unpadded(flags, payload);
    if (block === null) return;
    let selfish = false;
    if ((flags & HAS_PRIORITY) !== 0) {
      if (block.length < 5) return this.fail(FRAME_SIZE_ERROR, "HEADERS without its priority");
      selfish = (word(block, 0) & 0x7fffffff) === id;
      block = block.subarray(5);
    }
    if (!this.mayHead(id)) return;
    this.block = {
      stream: id,
      endStream: (flags & END_STREAM) !== 0,
      selfish,
      parts: [],
      bytes: 0,
      frames: 0,
    };
    this.blockSinceMs = this.nowMs;
    this.addToBlock(flags, block);
  }

  private mayHead(id: number): boolean {
    const server = this.owner !== null;
    if ((id % 2 === 1) !== server && this.isIdle(id)) {
      this.fail(PROTOCOL_ERROR, "HEADERS on a stream that only we may open");
      return false;
    }
    if (server && this.isIdle(id)) return true;
    if (this.streams.has(id) || this.past.get(id) !== undefined) {
      // HEADERS on a closed stream: of the connection (5.1), unless one of us has reset it.
      if (this.past.get(id) !== BOTH_ENDED) return true;
      this.fail(STREAM_CLOSED, "HEADERS on a closed stream");
      return false;
    }
    this.fail(PROTOCOL_ERROR, "HEADERS on a stream below the last");
    return false;
  }

  private onContinuation(flags: number, payload: Uint8Array): void {
    if (this.block === null) return this.fail(PROTOCOL_ERROR, "CONTINUATION of nothing");
    if (payload.length === 0) this.made("empty CONTINUATION");
    this.addToBlock(flags, payload);
  }

  private addToBlock(flags: number, part: Uint8Array): void {
    const block = this.block!;
    block.bytes += part.length;
    block.frames++;
    if (block.bytes > HTTP2_BLOCK_BYTES || block.frames > 64) {
      return this.fail(ENHANCE_YOUR_CALM, "a field block without end");
    }
    const last = (flags & END_HEADERS) !== 0;
    block.parts.push(last ? part : part.slice());
    if (!last) return;
    this.block = null;
    this.blockSinceMs = -1;
    this.onBlock(block);
  }

  private onBlock(block: Block): void {
    let decoded: { fields: Field[]; size: number };
    try {
      decoded = this.decoder.decode(joined(block.parts), HEAD_BYTES);
    } catch (error) {
      if (!(error instanceof CompressionError)) throw error;
      return this.fail(COMPRESSION_ERROR, error.message);
    }
    const { stream: id, endStream } = block;
    let stream = this.streams.get(id);
    if (stream === undefined) {
      if (!this.isIdle(id)) return this.late(id, undefined, "HEADERS");
      this.lastPeerStream = id;
      if (id > this.leavesAfter || this.streams.size >= HTTP2_STREAMS) {
        this.remember(id, RESET_BY_US);
        this.made("a stream beyond the limit");
        return this.out.reset(id, REFUSED_STREAM);
      }
      stream = this.add(new Stream(id, this.peerWindow, STREAM_WINDOW));
    } else if (stream.remoteEnded) return this.streamError(stream, STREAM_CLOSED);
    if (block.selfish) return this.streamError(stream, PROTOCOL_ERROR);
    this.onFields(stream, decoded.fields, decoded.size, endStream);
  }

  private onFields(stream: Stream, fields: Field[], size: number, endStream: boolean): void {
    const server = this.owner !== null;
    const interim = !server && !stream.headed &&
      fields.some(([name, value]) => name === ":status" && value.startsWith("1"));
    const kind = stream.headed ? "trailers" : server ? "request" : "response";
    if (stream.headed && !endStream) return this.streamError(stream, PROTOCOL_ERROR);
    if (interim && endStream) return this.streamError(stream, PROTOCOL_ERROR);
    const tooLarge = size > HEAD_BYTES;
    if (!tooLarge || kind !== "request") {
      if (tooLarge || malformedFields(fields, kind) !== null) {
        return this.streamError(stream, PROTOCOL_ERROR);
      }
    }
    if (!stream.headed && !interim) {
      stream.headed = true;
      stream.announced = server ? announcedBy(fields) : null;
    }
    if (endStream) stream.remoteEnded = true;
    if (endStream && !this.fitsAnnounced(stream, true)) return;
    if (server) stream.user ??= this.owner!.requested(stream);
    // Who says more than may be said is told so, by what is left of it.
    stream.user?.onFields(tooLarge ? [...fields, TOO_LARGE] : fields, endStream);
    this.endIfOver(stream);
  }

  private onPriority(id: number, payload: Uint8Array): void {
    if (id === 0) return this.fail(PROTOCOL_ERROR, "PRIORITY on stream 0");
    this.made("PRIORITY");
    const stream = this.streams.get(id);
    if (payload.length !== 5) {
      if (stream !== undefined) return this.streamError(stream, FRAME_SIZE_ERROR);
      return this.fail(FRAME_SIZE_ERROR, "PRIORITY of another length");
    }
    if ((word(payload, 0) & 0x7fffffff) !== id) return;
    if (stream !== undefined) return this.streamError(stream, PROTOCOL_ERROR);
    this.fail(PROTOCOL_ERROR, "a stream that depends on itself");
  }

  private onReset(id: number, payload: Uint8Array): void {
    if (payload.length !== 4) return this.fail(FRAME_SIZE_ERROR, "RST_STREAM of another length");
    if (id === 0) return this.fail(PROTOCOL_ERROR, "RST_STREAM on stream 0");
    if (this.isIdle(id)) return this.fail(PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    const stream = this.streams.get(id);
    if (stream === undefined) return this.made("RST_STREAM");
    this.remove(stream, RESET_BY_PEER);
    stream.user?.onReset(word(payload, 0) >>> 0);
    // Opening streams only to reset them costs us more than the peer.
    if (++this.resets > HTTP2_RESETS + this.finished) {
      this.fail(ENHANCE_YOUR_CALM, "streams are reset again and again");
    }
  }

  private onSettings(flags: number, id: number, payload: Uint8Array): void {
    if (id !== 0) return this.fail(PROTOCOL_ERROR, "SETTINGS on a stream");
    if ((flags & ACK) !== 0) {
      if (payload.length > 0) return this.fail(FRAME_SIZE_ERROR, "SETTINGS that acknowledge more");
      if (!this.greeted) return this.fail(PROTOCOL_ERROR, "no SETTINGS first");
      return;
    }
    if (payload.length % 6 !== 0) return this.fail(FRAME_SIZE_ERROR, "half a setting");
    this.greeted = true;
    this.made("SETTINGS");
    for (let at = 0; at < payload.length; at += 6) {
      const setting = payload[at]! << 8 | payload[at + 1]!;
      this.setting(setting, word(payload, at + 2) >>> 0);
      if (this.failed) return;
    }
    this.out.frame(SETTINGS, ACK, 0, NOTHING);
  }

  private setting(setting: number, value: number): void {
    switch (setting) {
      case ENABLE_PUSH:
        if (value > 1) this.fail(PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1");
        else if (value === 1 && this.owner === null) {
          this.fail(PROTOCOL_ERROR, "a server that asks for pushes");
        }
        return;
      case HEADER_TABLE_SIZE:
        // We keep no table, but a peer that wants a smaller one waits for us to say so (7541, 4.2).
        if (value < TABLE_BYTES) this.tableGoes ||= !this.tableGone;
        return;
      case MAX_CONCURRENT_STREAMS:
        this.peerStreams = value;
        return;
      case INITIAL_WINDOW_SIZE: {
        if (value > WINDOW_MAX) return this.fail(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE");
        const more = value - this.peerWindow;
        this.peerWindow = value;
        for (const stream of this.streams.values()) {
          stream.sendWindow += more;
          if (stream.sendWindow > WINDOW_MAX) {
            return this.fail(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE makes a window too large");
          }
          this.queue(stream);
        }
        return;
      }
      case MAX_FRAME_SIZE:
        if (value < FRAME_BYTES || value > 2 ** 24 - 1) {
          return this.fail(PROTOCOL_ERROR, "MAX_FRAME_SIZE");
        }
        this.peerFrameBytes = FRAME_BYTES;
        return;
      default:
        // MAX_HEADER_LIST_SIZE is advice; others are of extensions.
        return;
    }
  }

  private onPing(flags: number, id: number, payload: Uint8Array): void {
    if (id !== 0) return this.fail(PROTOCOL_ERROR, "PING on a stream");
    if (payload.length !== 8) return this.fail(FRAME_SIZE_ERROR, "PING of another length");
    if ((flags & ACK) !== 0) return this.settleLeave();
    this.made("PING");
    this.out.frame(PING, ACK, 0, payload);
  }

  private onGoAway(id: number, payload: Uint8Array): void {
    if (id !== 0) return this.fail(PROTOCOL_ERROR, "GOAWAY on a stream");
    if (payload.length < 8) return this.fail(FRAME_SIZE_ERROR, "half a GOAWAY");
    this.peerLeaves = true;
    if (this.owner !== null) return;
    // What it will not do is over; the rest goes on.
    const last = word(payload, 0) & 0x7fffffff;
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= last) continue;
      this.remove(stream, RESET_BY_PEER);
      stream.user?.onReset(REFUSED_STREAM);
    }
  }

  private onWindowUpdate(id: number, payload: Uint8Array): void {
    if (payload.length !== 4) return this.fail(FRAME_SIZE_ERROR, "WINDOW_UPDATE of another length");
    if (id !== 0 && this.isIdle(id)) {
      return this.fail(PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    }
    const more = word(payload, 0) & 0x7fffffff;
    if (id === 0) {
      if (more === 0) return this.fail(PROTOCOL_ERROR, "WINDOW_UPDATE of nothing");
      this.sendWindow += more;
      if (this.sendWindow > WINDOW_MAX) this.fail(FLOW_CONTROL_ERROR, "the window is too large");
      if (more < 256) this.made("WINDOW_UPDATE of little");
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) return this.made("WINDOW_UPDATE");
    if (more === 0) return this.streamError(stream, PROTOCOL_ERROR);
    if (more < 256) this.made("WINDOW_UPDATE of little");
    stream.sendWindow += more;
    if (stream.sendWindow > WINDOW_MAX) return this.streamError(stream, FLOW_CONTROL_ERROR);
    this.queue(stream);
  }

  // ---- What goes ----------------------------------------------------------------------------------

  /** Whether another stream can be opened (by a client). */
  get canOpen(): boolean {
    return !this.failed && !this.peerLeaves && this.streams.size < this.peerStreams &&
      this.nextStream < WINDOW_MAX;
  }

  /** A client's session: sends a request's head. */
  open(user: StreamUser, fields: Iterable<Field>, endStream: boolean): Stream {
    const stream = this.add(new Stream(this.nextStream, this.peerWindow, STREAM_WINDOW));
    this.nextStream += 2;
    stream.user = user;
    this.head(stream, fields, endStream);
    return stream;
  }

  /** Sends a field section ahead of content. */
  head(stream: Stream, fields: Iterable<Field>, endStream: boolean): void {
    if (!this.isOpen(stream)) return;
    this.out.fields(stream.id, this.encode(fields), endStream, this.peerFrameBytes);
    if (endStream) this.ended(stream);
  }

  /** Sends content as the windows allow; one piece at a time. `sent` is called when it is gone. */
  data(stream: Stream, bytes: Uint8Array, endStream: boolean, sent: () => void): void {
    if (!this.isOpen(stream)) return;
    stream.pending = { bytes, at: 0, endStream, sent };
    this.queue(stream);
  }

  /** Sends trailers, and with them the end, once no content is pending. */
  trailers(stream: Stream, fields: readonly Field[]): void {
    if (!this.isOpen(stream)) return;
    if (fields.length === 0) return this.data(stream, NOTHING, true, () => {});
    this.out.fields(stream.id, this.encode(fields), true, this.peerFrameBytes);
    this.ended(stream);
  }

  /** Ends a stream before its time; nothing if it is over. */
  reset(stream: Stream, code: number): void {
    if (this.streams.get(stream.id) !== stream) return;
    this.out.reset(stream.id, code);
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

  /** Says that no new stream is served; `settleLeave` follows a round trip later. */
  leave(): void {
    if (this.failed) return;
    this.out.goAway(WINDOW_MAX, NO_ERROR);
    this.out.frame(PING, 0, 0, new Uint8Array(8));
    this.leaving = true;
  }

  private leaving = false;

  /** The peer has heard that we leave: what comes now is refused. */
  settleLeave(): void {
    if (!this.leaving || this.failed || this.leavesAfter !== Infinity) return;
    this.leavesAfter = this.lastPeerStream;
    this.out.goAway(this.lastPeerStream, NO_ERROR);
  }

  /** Whether a leaving session has nothing more to do. */
  get left(): boolean {
    return this.leavesAfter !== Infinity && this.streams.size === 0;
  }

  private encode(fields: Iterable<Field>): Uint8Array {
    const block = encodeFields(fields);
    if (!this.tableGoes) return block;
    this.tableGoes = false;
    this.tableGone = true;
    return Uint8Array.of(NO_TABLE, ...block);
  }

  private isOpen(stream: Stream): boolean {
    return !this.failed && !stream.localEnded && this.streams.get(stream.id) === stream;
  }

  private queue(stream: Stream): void {
    if (stream.pending === null || stream.queued) return;
    stream.queued = true;
    this.ready.push(stream);
  }

  /** Sends what is pending, a frame of each stream in turn, until the windows or we are full. */
  private sendContent(): void {
    const { ready } = this;
    let at = 0;
    for (; at < ready.length && this.out.length < HTTP2_SEND_BYTES; at++) {
      const stream = ready[at]!;
      const { pending } = stream;
      if (pending === null || !this.isOpen(stream)) {
        stream.queued = false;
        continue;
      }
      const rest = pending.bytes.length - pending.at;
      const may = rest === 0
        ? 0
        : Math.min(rest, stream.sendWindow, this.sendWindow, this.peerFrameBytes);
      if (rest > 0 && may <= 0) {
        // Its own window is shut: it is queued again when that opens.
        if (stream.sendWindow <= 0) {
          stream.queued = false;
          continue;
        }
        break;
      }
      this.sendPiece(stream, pending, may);
      if (stream.pending === null) stream.queued = false;
      else ready.push(stream);
    }
    if (at > 0) this.ready = ready.slice(at);
  }

  private sendPiece(stream: Stream, pending: Pending, length: number): void {
    const { bytes, at } = pending;
    const last = at + length === bytes.length;
    const endStream = last && pending.endStream;
    this.out.frame(DATA, endStream ? END_STREAM : 0, stream.id, bytes.subarray(at, at + length));
    pending.at += length;
    stream.sendWindow -= length;
    this.sendWindow -= length;
    if (!last) return;
    stream.pending = null;
    if (endStream) this.ended(stream);
    pending.sent();
  }

  private ended(stream: Stream): void {
    stream.localEnded = true;
    this.endIfOver(stream);
  }

  private endIfOver(stream: Stream): void {
    if (stream.localEnded && stream.remoteEnded) this.remove(stream, BOTH_ENDED);
  }

  private creditStream(stream: Stream, bytes: number): void {
    if (bytes === 0) return;
    this.credit(bytes);
    if (stream.remoteEnded || this.streams.get(stream.id) !== stream) return;
    stream.taken += bytes;
    if (stream.taken < STREAM_WINDOW / 2) return;
    stream.receiveWindow += stream.taken;
    this.out.windowUpdate(stream.id, stream.taken);
    stream.taken = 0;
  }

  private credit(bytes: number): void {
    this.taken += bytes;
    if (this.taken < HTTP2_WINDOW_BYTES / 4 || this.failed) return;
    this.receiveWindow += this.taken;
    this.out.windowUpdate(0, this.taken);
    this.taken = 0;
  }

  private add(stream: Stream): Stream {
    this.streams.set(stream.id, stream);
    return stream;
  }

  private remove(stream: Stream, how: number): void {
    if (!this.streams.delete(stream.id)) return;
    if (how === BOTH_ENDED) this.finished++;
    stream.pending = null;
    this.remember(stream.id, how);
    // What nobody will take any more is taken.
    if (stream.buffered > 0 && how !== BOTH_ENDED) {
      this.credit(stream.buffered);
      stream.buffered = 0;
    }
  }

  private remember(id: number, how: number): void {
    this.past.set(id, how);
    if (this.past.size > PAST_STREAMS) this.past.delete(this.past.keys().next().value!);
  }

  private streamError(stream: Stream, code: number): void {
    this.reset(stream, code);
    stream.user?.onReset(code);
    this.made("a stream in error");
  }

  /** Ends the connection: GOAWAY, then nothing. */
  fail(code: number, reason: string): void {
    if (this.failed) return;
    this.failed = true;
    this.reason = reason;
    this.out.goAway(this.lastPeerStream, code);
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

/** Content is made into frames up to so much at a time. */
const HTTP2_SEND_BYTES = 65_536;

/** Stands behind the fields of a request that were too many to be told. */
export const TOO_LARGE: Field = [":too-large", ""];

function announcedBy(fields: readonly Field[]): number | null {
  const length = fields.find(([name]) => name === "content-length")?.[1];
  return length === undefined ? null : Number(length);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
