import { ascii, FIELD_INTS, ID, VALUE, VALUE_END } from "./field_block.ts";
import {
  HTTP2_SETTINGS,
  PROXY_AUTHORIZATION,
  TRACEPARENT,
  X_FORWARDED_FOR,
  X_FORWARDED_PROTO,
  X_REAL_IP,
} from "./fields.ts";
import {
  CLAIMS,
  CONNECTION_UPGRADE,
  copiedTo,
  copyKept,
  CRLF,
  HOP_BY_HOP,
  idSet,
  put,
  putHex8,
  putRange,
  putShort,
  REQUEST_ID,
  SAW_FORWARDED_HOST,
  SAW_REQUEST_ID,
  SAW_TRACE,
  writeFraming,
} from "./header_bytes.ts";
import type { RequestHead } from "./http1.ts";

/** Most bytes that `writeRequestHead` adds to a head. */
export const REQUEST_HEAD_ROOM = 1_536;

const HTTP_1_1 = ascii(" HTTP/1.1\r\n");
const HOST_NAME = ascii("Host: ");
const VIA = ascii("Via: 1.1 skr8tr\r\n");
const FORWARDED_FOR = ascii("X-Forwarded-For: ");
const FORWARDED_HOST = ascii("X-Forwarded-Host: ");
const FORWARDED_PROTO = ascii("X-Forwarded-Proto: ");
const REAL_IP = ascii("X-Real-IP: ");
const TRACE_NAME = ascii("traceparent: ");
const TRACE_START = ascii("traceparent: 00-");
const TRACE_END = ascii("-01\r\n");
const TRACE_END_UNSAMPLED = ascii("-00\r\n");
const TE_LINE = ascii("TE: trailers\r\nConnection: TE\r\n");
const TE_WITH_UPGRADE = ascii("TE: trailers\r\nConnection: TE, upgrade\r\n");
const COMMA = ascii(", ");

const DROP_REQUEST = idSet(...HOP_BY_HOP, HTTP2_SETTINGS, PROXY_AUTHORIZATION, ...CLAIMS);
// A trusted peer's word stands; X-Forwarded-For is written anew with the peer added.
const DROP_TRUSTED = idSet(...HOP_BY_HOP, HTTP2_SETTINGS, PROXY_AUTHORIZATION, X_FORWARDED_FOR);

/** The same for a request whose trace goes on by a span of our own. */
function withTrace(drop: Uint8Array): Uint8Array {
  const more = drop.slice();
  more[TRACEPARENT] = 1;
  return more;
}
const DROP_REQUEST_TRACED = withTrace(DROP_REQUEST);
const DROP_TRUSTED_TRACED = withTrace(DROP_TRUSTED);

/** What a request's next hop is told about its origin; made once a connection where possible. */
export interface Origin {
  /** The peer's address. */
  readonly peer: Uint8Array;
  /** `http` or `https`. */
  readonly scheme: Uint8Array;
  /** What the peer says of others stands. */
  readonly trusted: boolean;
  /** `X-Forwarded-For`, `X-Real-IP` and `X-Forwarded-Proto` for a peer that is not trusted. */
  readonly lines: Uint8Array;
}

/** Makes the `Origin` of a connection. */
export function originOf(peer: string, scheme: "http" | "https", trusted: boolean): Origin {
  return {
    peer: ascii(peer),
    scheme: ascii(scheme),
    trusted,
    lines: ascii(
      `X-Forwarded-For: ${peer}\r\nX-Real-IP: ${peer}\r\nX-Forwarded-Proto: ${scheme}\r\n`,
    ),
  };
}

/** What `writeRequestHead` needs beside the head. */
export interface RequestExtras {
  readonly origin: Origin;
  /** Path and query to send instead of the target's own. */
  readonly target: Uint8Array | null;
  /** Bytes to leave out at the front of the target's path. */
  readonly strip: number;
  /** Host for an HTTP/1.0 request that has none. */
  readonly defaultHost: Uint8Array;
  /** Written as X-Request-Id where the request brings none. */
  readonly requestId: Uint8Array;
  /** Four random 32-bit numbers for a new trace and two for its span. */
  readonly random: () => number;
  /** The `traceparent` that is sent instead of the request's own, where its span is recorded here. */
  readonly trace: Uint8Array | null;
  /** New traces say that nobody records them: it was decided here, and not for this one. */
  readonly unsampled: boolean;
  /** The client's address as a trusted peer's X-Forwarded-For has it. */
  readonly realIp: Uint8Array;
  /** Set by `writeRequestHead`: the request brought no id of its own, `requestId` was written. */
  ownId: boolean;
}

/** Writes the head that goes to a replica; returns the offset behind it. */
export function writeRequestHead(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  head: RequestHead,
  extras: RequestExtras,
): number {
  at = writeRequestLine(out, at, bytes, head, extras);
  const { origin } = extras;
  const drop = dropped(extras);
  const { absolute, upgrade } = head;
  const seen = copyKept(out, at, bytes, head, drop, absolute, upgrade, !origin.trusted);
  at = copiedTo;
  if (head.absolute) at = writeHost(out, at, bytes, head.hostStart, head.authorityEnd);
  else if (head.hostStart < 0) {
    at = writeHost(out, at, extras.defaultHost, 0, extras.defaultHost.length);
  }
  if (!head.canonicalFraming) at = writeFraming(out, at, head.framing, head.length);
  if (origin.trusted) at = writeTrustedOrigin(out, at, bytes, head, extras);
  else at = put(out, at, origin.lines);
  if (head.hostStart >= 0 && !(origin.trusted && (seen & SAW_FORWARDED_HOST) !== 0)) {
    at = putShort(out, at, FORWARDED_HOST);
    at = putRange(out, at, bytes, head.hostStart, head.authorityEnd);
    at = putShort(out, at, CRLF);
  }
  extras.ownId = (seen & SAW_REQUEST_ID) === 0;
  if (extras.ownId) {
    at = putShort(out, at, REQUEST_ID);
    at = putShort(out, at, extras.requestId);
    at = putShort(out, at, CRLF);
  }
  if (extras.trace !== null) {
    at = putShort(out, at, TRACE_NAME);
    at = put(out, at, extras.trace);
    at = putShort(out, at, CRLF);
  } else if ((seen & SAW_TRACE) === 0) {
    at = putShort(out, at, TRACE_START);
    for (let word = 0; word < 4; word++) at = putHex8(out, at, extras.random());
    out[at++] = 0x2d;
    for (let word = 0; word < 2; word++) at = putHex8(out, at, extras.random() | 1);
    at = putShort(out, at, extras.unsampled ? TRACE_END_UNSAMPLED : TRACE_END);
  }
  if (head.wantsTrailers) at = put(out, at, head.upgrade ? TE_WITH_UPGRADE : TE_LINE);
  else if (head.upgrade) at = put(out, at, CONNECTION_UPGRADE);
  at = putShort(out, at, VIA);
  return putShort(out, at, CRLF);
}

function dropped({ origin, trace }: RequestExtras): Uint8Array {
  if (trace !== null) return origin.trusted ? DROP_TRUSTED_TRACED : DROP_REQUEST_TRACED;
  return origin.trusted ? DROP_TRUSTED : DROP_REQUEST;
}

function writeRequestLine(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  head: RequestHead,
  extras: RequestExtras,
): number {
  if (extras.target === null && extras.strip === 0 && !head.absolute && head.minor === 1) {
    return putRange(out, at, bytes, head.start, head.lineEnd);
  }
  at = putRange(out, at, bytes, head.start, head.methodEnd);
  out[at++] = 0x20;
  if (extras.target !== null) at = put(out, at, extras.target);
  else {
    const from = head.pathStart + extras.strip;
    // What is left after `strip`, or of a target without a path, must begin with a slash.
    if (bytes[from] !== 0x2f || from >= head.targetEnd) out[at++] = 0x2f;
    at = putRange(out, at, bytes, from, head.targetEnd);
  }
  return put(out, at, HTTP_1_1);
}

function writeHost(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  at = putShort(out, at, HOST_NAME);
  at = putRange(out, at, bytes, from, to);
  return putShort(out, at, CRLF);
}

function writeTrustedOrigin(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  head: RequestHead,
  { origin, realIp: client }: RequestExtras,
): number {
  let realIp = false;
  let proto = false;
  at = put(out, at, FORWARDED_FOR);
  for (let base = 0, end = head.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
    const id = head.fields[base + ID]!;
    if (id === X_REAL_IP) realIp = true;
    else if (id === X_FORWARDED_PROTO) proto = true;
    else if (
      id === X_FORWARDED_FOR && head.fields[base + VALUE_END]! > head.fields[base + VALUE]!
    ) {
      at = putRange(out, at, bytes, head.fields[base + VALUE]!, head.fields[base + VALUE_END]!);
      at = put(out, at, COMMA);
    }
  }
  at = put(out, at, origin.peer);
  at = put(out, at, CRLF);
  if (!realIp) {
    at = put(out, put(out, put(out, at, REAL_IP), client), CRLF);
  }
  if (!proto) {
    at = put(out, put(out, put(out, at, FORWARDED_PROTO), origin.scheme), CRLF);
  }
  return at;
}
