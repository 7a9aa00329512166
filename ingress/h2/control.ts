// Frames that are about the connection and its streams, not of a request: SETTINGS, PING, GOAWAY,
// WINDOW_UPDATE and PRIORITY (RFC 9113 6).

import {
  ACK,
  ENABLE_PUSH,
  FLOW_CONTROL_ERROR,
  FRAME_BYTES,
  FRAME_SIZE_ERROR,
  HEADER_TABLE_SIZE,
  INITIAL_WINDOW_SIZE,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  PING,
  PROTOCOL_ERROR,
  SETTINGS,
  WINDOW_MAX,
  word,
} from "./frames.ts";
import type { Session } from "./session.ts";

/** A WINDOW_UPDATE of less costs more than it gives. */
const LITTLE = 256;
const NOTHING = new Uint8Array(0);

export function onSettings(
  session: Session,
  flags: number,
  id: number,
  payload: Uint8Array,
): void {
  if (id !== 0) return session.fail(PROTOCOL_ERROR, "SETTINGS on a stream");
  if ((flags & ACK) !== 0) {
    if (payload.length > 0) {
      return session.fail(FRAME_SIZE_ERROR, "SETTINGS that acknowledge more");
    }
    if (!session.greeted) return session.fail(PROTOCOL_ERROR, "no SETTINGS first");
    return;
  }
  if (payload.length % 6 !== 0) return session.fail(FRAME_SIZE_ERROR, "half a setting");
  session.greeted = true;
  session.noise("SETTINGS");
  for (let at = 0; at < payload.length; at += 6) {
    const name = payload[at]! << 8 | payload[at + 1]!;
    onSetting(session, name, word(payload, at + 2) >>> 0);
    if (session.failed) return;
  }
  session.outgoing.frames.frame(SETTINGS, ACK, 0, NOTHING);
}

function onSetting(session: Session, setting: number, value: number): void {
  switch (setting) {
    case ENABLE_PUSH:
      if (value > 1) session.fail(PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1");
      else if (value === 1 && !session.isServer) {
        session.fail(PROTOCOL_ERROR, "a server that asks for pushes");
      }
      return;
    case HEADER_TABLE_SIZE:
      return session.outgoing.setTable(value);
    case MAX_CONCURRENT_STREAMS:
      session.peerStreams = value;
      return;
    case INITIAL_WINDOW_SIZE:
      if (value > WINDOW_MAX) return session.fail(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE");
      if (session.outgoing.setStreamWindow(value, session.streams.values())) return;
      return session.fail(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE makes a window too large");
    case MAX_FRAME_SIZE:
      if (value >= FRAME_BYTES && value <= 2 ** 24 - 1) return;
      return session.fail(PROTOCOL_ERROR, "MAX_FRAME_SIZE");
    default:
      // MAX_HEADER_LIST_SIZE is advice; others are of extensions.
      return;
  }
}

export function onPing(session: Session, flags: number, id: number, payload: Uint8Array): void {
  if (id !== 0) return session.fail(PROTOCOL_ERROR, "PING on a stream");
  if (payload.length !== 8) return session.fail(FRAME_SIZE_ERROR, "PING of another length");
  if ((flags & ACK) !== 0) return session.settleLeave();
  session.noise("PING");
  session.outgoing.frames.frame(PING, ACK, 0, payload);
}

export function onGoAway(session: Session, id: number, payload: Uint8Array): void {
  if (id !== 0) return session.fail(PROTOCOL_ERROR, "GOAWAY on a stream");
  if (payload.length < 8) return session.fail(FRAME_SIZE_ERROR, "half a GOAWAY");
  session.peerLeft(word(payload, 0) & 0x7fffffff);
}

export function onWindowUpdate(session: Session, id: number, payload: Uint8Array): void {
  if (payload.length !== 4) {
    return session.fail(FRAME_SIZE_ERROR, "WINDOW_UPDATE of another length");
  }
  if (id !== 0 && session.ids.isIdle(id)) {
    return session.fail(PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
  }
  const more = word(payload, 0) & 0x7fffffff;
  if (id === 0) {
    if (more === 0) return session.fail(PROTOCOL_ERROR, "WINDOW_UPDATE of nothing");
    if (!session.outgoing.widen(more)) session.fail(FLOW_CONTROL_ERROR, "the window is too large");
    if (more < LITTLE) session.noise("WINDOW_UPDATE of little");
    return;
  }
  const stream = session.streams.get(id);
  if (stream === undefined) return session.noise("WINDOW_UPDATE");
  if (more === 0) return session.streamError(stream, PROTOCOL_ERROR);
  if (more < LITTLE) session.noise("WINDOW_UPDATE of little");
  if (!session.outgoing.widenStream(stream, more)) session.streamError(stream, FLOW_CONTROL_ERROR);
}

export function onPriority(session: Session, id: number, payload: Uint8Array): void {
  if (id === 0) return session.fail(PROTOCOL_ERROR, "PRIORITY on stream 0");
  session.noise("PRIORITY");
  const stream = session.streams.get(id);
  if (payload.length !== 5) {
    if (stream !== undefined) return session.streamError(stream, FRAME_SIZE_ERROR);
    return session.fail(FRAME_SIZE_ERROR, "PRIORITY of another length");
  }
  if ((word(payload, 0) & 0x7fffffff) !== id) return;
  if (stream !== undefined) return session.streamError(stream, PROTOCOL_ERROR);
  session.fail(PROTOCOL_ERROR, "a stream that depends on itself");
}
