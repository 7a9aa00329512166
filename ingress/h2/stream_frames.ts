// Frames that carry requests and responses: HEADERS with CONTINUATION, DATA, RST_STREAM (RFC 9113 6).

import { HEAD_BYTES, HTTP2_STREAMS } from "../../core/limits.ts";
import type { Block } from "./blocks.ts";
import {
  COMPRESSION_ERROR,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  HAS_PRIORITY,
  PADDED,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  STREAM_CLOSED,
  word,
} from "./frames.ts";
import { CompressionError, type Field } from "./hpack.ts";
import { malformedFields } from "./rules.ts";
import type { Session } from "./session.ts";
import type { Stream } from "./stream.ts";
import { BOTH_ENDED, RESET_BY_PEER, RESET_BY_US } from "./stream_ids.ts";

/** Stands behind the fields of a request that were too many to be told. */
export const TOO_LARGE: Field = [":too-large", ""];

function unpadded(session: Session, flags: number, payload: Uint8Array): Uint8Array | null {
  if ((flags & PADDED) === 0) return payload;
  if (payload.length === 0) {
    session.fail(FRAME_SIZE_ERROR, "a padded frame of no bytes");
    return null;
  }
  const padding = payload[0]!;
  if (padding >= payload.length) {
    session.fail(PROTOCOL_ERROR, "more padding than frame");
    return null;
  }
  return payload.subarray(1, payload.length - padding);
}

export function onData(session: Session, flags: number, id: number, payload: Uint8Array): void {
  if (id === 0) return session.fail(PROTOCOL_ERROR, "DATA on stream 0");
  if (session.ids.isIdle(id)) return session.fail(PROTOCOL_ERROR, "DATA on an idle stream");
  const content = unpadded(session, flags, payload);
  if (content === null) return;
  if (!session.windows.take(payload.length)) {
    return session.fail(FLOW_CONTROL_ERROR, "more DATA than the connection's window");
  }
  const stream = session.streams.get(id);
  if (stream === undefined || stream.remoteEnded) {
    session.credit(payload.length);
    return late(session, id, stream, "DATA");
  }
  if (!stream.headed) return session.fail(PROTOCOL_ERROR, "DATA before HEADERS");
  if (payload.length > stream.receiveWindow) {
    session.credit(payload.length);
    return session.streamError(stream, FLOW_CONTROL_ERROR);
  }
  const endStream = (flags & END_STREAM) !== 0;
  if (content.length === 0 && !endStream) session.noise("empty DATA");
  stream.receiveWindow -= payload.length;
  stream.received += content.length;
  stream.buffered += content.length;
  // Padding is taken at once.
  session.creditStream(stream, payload.length - content.length);
  if (!fitsAnnounced(session, stream, endStream)) return;
  if (endStream) stream.remoteEnded = true;
  stream.user?.onData(content, endStream);
  session.endIfOver(stream);
}

/** The content is as long as was said (8.1.1). */
function fitsAnnounced(session: Session, stream: Stream, endStream: boolean): boolean {
  const { announced, received } = stream;
  if (announced === null) return true;
  if (received <= announced && (!endStream || received === announced)) return true;
  session.streamError(stream, PROTOCOL_ERROR);
  return false;
}

/** A frame came on a stream of which the peer has said its last. */
function late(session: Session, id: number, stream: Stream | undefined, what: string): void {
  if (stream !== undefined) return session.streamError(stream, STREAM_CLOSED);
  switch (session.ids.howEnded(id)) {
    case RESET_BY_US:
      // It was on its way.
      return session.noise(what);
    case RESET_BY_PEER:
      session.noise(what);
      return session.frames.reset(id, STREAM_CLOSED);
    default:
      return session.fail(STREAM_CLOSED, `${what} on a closed stream`);
  }
}

export function onHeaders(session: Session, flags: number, id: number, payload: Uint8Array): void {
  if (id === 0) return session.fail(PROTOCOL_ERROR, "HEADERS on stream 0");
  let part = unpadded(session, flags, payload);
  if (part === null) return;
  let selfish = false;
  if ((flags & HAS_PRIORITY) !== 0) {
    if (part.length < 5) return session.fail(FRAME_SIZE_ERROR, "HEADERS without its priority");
    selfish = (word(part, 0) & 0x7fffffff) === id;
    part = part.subarray(5);
  }
  if (!mayHead(session, id)) return;
  const endStream = (flags & END_STREAM) !== 0;
  session.blocks.begin({ stream: id, endStream, selfish }, session.nowMs);
  addToBlock(session, flags, part);
}

function mayHead(session: Session, id: number): boolean {
  const idle = session.ids.isIdle(id);
  if (!session.ids.isTheirs(id) && idle) {
    session.fail(PROTOCOL_ERROR, "HEADERS on a stream that only we may open");
    return false;
  }
  if (session.isServer && idle) return true;
  const ended = session.ids.howEnded(id);
  if (session.streams.has(id) || ended !== undefined) {
    // HEADERS on a closed stream: of the connection (5.1), unless one of us has reset it.
    if (ended !== BOTH_ENDED) return true;
    session.fail(STREAM_CLOSED, "HEADERS on a closed stream");
    return false;
  }
  session.fail(PROTOCOL_ERROR, "HEADERS on a stream below the last");
  return false;
}

export function onContinuation(session: Session, flags: number, payload: Uint8Array): void {
  if (session.blocks.current === null) {
    return session.fail(PROTOCOL_ERROR, "CONTINUATION of nothing");
  }
  if (payload.length === 0) session.noise("empty CONTINUATION");
  addToBlock(session, flags, payload);
}

function addToBlock(session: Session, flags: number, part: Uint8Array): void {
  const last = (flags & END_HEADERS) !== 0;
  const block = session.blocks.current!;
  if (!session.blocks.add(part, last)) {
    return session.fail(ENHANCE_YOUR_CALM, "a field block without end");
  }
  if (last) onBlock(session, block);
}

function onBlock(session: Session, { stream: id, endStream, selfish }: Block): void {
  let decoded: { readonly fields: Field[]; readonly size: number };
  try {
    decoded = session.blocks.finish();
  } catch (error) {
    if (!(error instanceof CompressionError)) throw error;
    return session.fail(COMPRESSION_ERROR, error.message);
  }
  let stream = session.streams.get(id);
  if (stream === undefined) {
    if (!session.ids.isIdle(id)) return late(session, id, undefined, "HEADERS");
    session.ids.lastOfPeer = id;
    if (id > session.leavesAfter || session.streams.size >= HTTP2_STREAMS) {
      session.ids.remember(id, RESET_BY_US);
      session.noise("a stream beyond the limit");
      return session.frames.reset(id, REFUSED_STREAM);
    }
    stream = session.add(id);
  } else if (stream.remoteEnded) return session.streamError(stream, STREAM_CLOSED);
  if (selfish) return session.streamError(stream, PROTOCOL_ERROR);
  onFields(session, stream, decoded.fields, decoded.size, endStream);
}

function onFields(
  session: Session,
  stream: Stream,
  fields: Field[],
  size: number,
  endStream: boolean,
): void {
  const { owner } = session;
  const interim = !session.isServer && !stream.headed &&
    fields.some(([name, value]) => name === ":status" && value.startsWith("1"));
  const kind = stream.headed ? "trailers" : session.isServer ? "request" : "response";
  if (stream.headed && !endStream) return session.streamError(stream, PROTOCOL_ERROR);
  if (interim && endStream) return session.streamError(stream, PROTOCOL_ERROR);
  const tooLarge = size > HEAD_BYTES;
  if (!tooLarge || kind !== "request") {
    if (tooLarge || malformedFields(fields, kind) !== null) {
      return session.streamError(stream, PROTOCOL_ERROR);
    }
  }
  if (!stream.headed && !interim) {
    stream.headed = true;
    stream.announced = session.isServer ? announcedBy(fields) : null;
  }
  if (endStream) stream.remoteEnded = true;
  if (endStream && !fitsAnnounced(session, stream, true)) return;
  if (owner !== null) stream.user ??= owner.requested(stream);
  // Who says more than may be said is told so, by what is left of it.
  stream.user?.onFields(tooLarge ? [...fields, TOO_LARGE] : fields, endStream);
  session.endIfOver(stream);
}

export function onReset(session: Session, id: number, payload: Uint8Array): void {
  if (payload.length !== 4) return session.fail(FRAME_SIZE_ERROR, "RST_STREAM of another length");
  if (id === 0) return session.fail(PROTOCOL_ERROR, "RST_STREAM on stream 0");
  if (session.ids.isIdle(id)) return session.fail(PROTOCOL_ERROR, "RST_STREAM on an idle stream");
  const stream = session.streams.get(id);
  if (stream === undefined) return session.noise("RST_STREAM");
  session.remove(stream, RESET_BY_PEER);
  stream.user?.onReset(word(payload, 0) >>> 0);
  // Opening streams only to reset them costs us more than the peer.
  if (!session.patience.reset()) {
    session.fail(ENHANCE_YOUR_CALM, "streams are reset again and again");
  }
}

function announcedBy(fields: readonly Field[]): number | null {
  const length = fields.find(([name]) => name === "content-length")?.[1];
  return length === undefined ? null : Number(length);
}
