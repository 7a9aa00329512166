// Heads on their way through: hop-by-hop fields taken out, what the next hop must know put in.
// Everything is bytes; fields that are kept are copied in runs, not one by one.

import {
  ascii,
  FIELD_INTS,
  ID,
  LINE,
  LINE_END,
  NAME_END,
  VALUE,
  VALUE_END,
} from "./field_block.ts";
import {
  CONNECTION,
  CONTENT_LENGTH,
  DATE,
  FIELD_NAMES,
  FORWARDED,
  HOST,
  HTTP2_SETTINGS,
  KEEP_ALIVE,
  MAX_FORWARDS,
  PROXY_AUTHORIZATION,
  PROXY_CONNECTION,
  TE,
  TOKEN,
  TRACEPARENT,
  TRANSFER_ENCODING,
  UPGRADE,
  X_FORWARDED_FOR,
  X_FORWARDED_HOST,
  X_FORWARDED_PORT,
  X_FORWARDED_PREFIX,
  X_FORWARDED_PROTO,
  X_FORWARDED_SERVER,
  X_FORWARDED_SSL,
  X_REAL_IP,
  X_REQUEST_ID,
} from "./fields.ts";
import {
  BY_LENGTH,
  CHUNKED,
  eachListItem,
  type RequestHead,
  type ResponseHead,
  UNTIL_CLOSE,
} from "./http1.ts";

/** Most bytes that `writeRequestHead` adds to a head, but for the trusted X-Forwarded-For. */
export const REQUEST_HEAD_ROOM = 1_536;
/** Most bytes that `writeResponseHead` adds to a head. */
export const RESPONSE_HEAD_ROOM = 512;

const CRLF = ascii("\r\n");
const HTTP_1_1 = ascii(" HTTP/1.1\r\n");
const HTTP_1_1_FIRST = ascii("HTTP/1.1 ");
const HOST_NAME = ascii("Host: ");
const VIA = ascii("Via: 1.1 skr8tr\r\n");
const FORWARDED_FOR = ascii("X-Forwarded-For: ");
const FORWARDED_HOST = ascii("X-Forwarded-Host: ");
const FORWARDED_PROTO = ascii("X-Forwarded-Proto: ");
const REAL_IP = ascii("X-Real-IP: ");
const REQUEST_ID = ascii("X-Request-Id: ");
const TRACE_START = ascii("traceparent: 00-");
const TRACE_END = ascii("-01\r\n");
const MAX_FORWARDS_NAME = ascii("Max-Forwards: ");
const CONTENT_LENGTH_NAME = ascii("Content-Length: ");
const CHUNKED_LINE = ascii("Transfer-Encoding: chunked\r\n");
const CONNECTION_UPGRADE = ascii("Connection: upgrade\r\n");
const CONNECTION_CLOSE = ascii("Connection: close\r\n");
const CONNECTION_KEEP_ALIVE = ascii("Connection: keep-alive\r\n");
const TE_LINE = ascii("TE: trailers\r\nConnection: TE\r\n");
const TE_WITH_UPGRADE = ascii("TE: trailers\r\nConnection: TE, upgrade\r\n");
const COMMA = ascii(", ");

function idSet(...ids: number[]): Uint8Array {
  const set = new Uint8Array(FIELD_NAMES.length);
  for (const id of ids) set[id] = 1;
  return set;
}

// What never goes from one hop to the next (RFC 9110 7.6.1).
const HOP_BY_HOP = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, UPGRADE, TE];
// What only somebody we trust may say of who stands before them.
const CLAIMS = [
  X_FORWARDED_FOR,
  X_FORWARDED_PROTO,
  X_FORWARDED_HOST,
  X_FORWARDED_PORT,
  X_FORWARDED_PREFIX,
  X_FORWARDED_SERVER,
  X_FORWARDED_SSL,
  X_REAL_IP,
  FORWARDED,
];
const DROP_REQUEST = idSet(...HOP_BY_HOP, HTTP2_SETTINGS, PROXY_AUTHORIZATION, ...CLAIMS);
// A trusted peer's word stands; X-Forwarded-For is written anew with the peer added.
const DROP_TRUSTED = idSet(...HOP_BY_HOP, HTTP2_SETTINGS, PROXY_AUTHORIZATION, X_FORWARDED_FOR);
const DROP_RESPONSE = idSet(...HOP_BY_HOP);
// Connection may not name these away: they frame, route or vouch for the message.
const PROTECTED = idSet(HOST, CONTENT_LENGTH, TRANSFER_ENCODING, DATE, MAX_FORWARDS);

/** Copies `word` to `out` at `at`; returns the offset behind it. */
export function put(out: Uint8Array, at: number, word: Uint8Array): number {
  out.set(word, at);
  return at + word.length;
}

function putShort(out: Uint8Array, at: number, word: Uint8Array): number {
  for (let index = 0; index < word.length; index++) out[at + index] = word[index]!;
  return at + word.length;
}

function putRange(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  if (to - from < 24) {
    for (let index = from; index < to; index++) out[at++] = bytes[index]!;
    return at;
  }
  out.set(bytes.subarray(from, to), at);
  return at + to - from;
}

/** Writes a whole number in decimal. */
export function putDecimal(out: Uint8Array, at: number, value: number): number {
  const text = String(value);
  for (let index = 0; index < text.length; index++) out[at++] = text.charCodeAt(index);
  return at;
}

const HEX = ascii("0123456789abcdef");

/** Writes the 8 hexadecimal digits of a 32-bit number. */
export function putHex8(out: Uint8Array, at: number, value: number): number {
  for (let shift = 28; shift >= 0; shift -= 4) out[at++] = HEX[(value >>> shift) & 15]!;
  return at;
}

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
  const drop = origin.trusted ? DROP_TRUSTED : DROP_REQUEST;
  const seen = copyKept(out, at, bytes, head, drop, head.absolute, head.upgrade);
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
  if ((seen & SAW_TRACE) === 0) {
    at = putShort(out, at, TRACE_START);
    for (let word = 0; word < 4; word++) at = putHex8(out, at, extras.random());
    out[at++] = 0x2d;
    for (let word = 0; word < 2; word++) at = putHex8(out, at, extras.random() | 1);
    at = putShort(out, at, TRACE_END);
  }
  if (head.wantsTrailers) at = put(out, at, head.upgrade ? TE_WITH_UPGRADE : TE_LINE);
  else if (head.upgrade) at = put(out, at, CONNECTION_UPGRADE);
  at = putShort(out, at, VIA);
  return putShort(out, at, CRLF);
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

function writeFraming(out: Uint8Array, at: number, framing: number, length: number): number {
  if (framing === CHUNKED) return put(out, at, CHUNKED_LINE);
  at = put(out, at, CONTENT_LENGTH_NAME);
  at = putDecimal(out, at, length);
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

const SAW_REQUEST_ID = 1;
const SAW_TRACE = 2;
const SAW_FORWARDED_HOST = 4;

let copiedTo = 0;

/**
 * Copies the kept fields in runs; returns which of the `SAW_` fields are among them, and leaves the
 * offset behind them in `copiedTo`.
 */
function copyKept(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  head: RequestHead | ResponseHead,
  drop: Uint8Array,
  dropHost: boolean,
  keepUpgrade: boolean,
): number {
  const ints = head.fields;
  let seen = 0;
  let run = head.fieldsStart;
  let runEnd = run;
  for (let base = 0, end = head.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
    const id = ints[base + ID]!;
    let keep = id >= 0 && drop[id] === 0;
    if (id > 0) {
      if (id === HOST) keep = keep && !dropHost;
      else if (id === UPGRADE) keep = keepUpgrade;
      else if (id === CONTENT_LENGTH || id === TRANSFER_ENCODING) keep &&= head.canonicalFraming;
      else if (id === X_REQUEST_ID) {
        keep = keep && (seen & SAW_REQUEST_ID) === 0 && isRequestId(bytes, ints, base);
        if (keep) seen |= SAW_REQUEST_ID;
      } else if (id === TRACEPARENT) {
        keep = keep && (seen & SAW_TRACE) === 0 && isTraceparent(bytes, ints, base);
        if (keep) seen |= SAW_TRACE;
      } else if (id === X_FORWARDED_HOST && keep) seen |= SAW_FORWARDED_HOST;
      else if (id === MAX_FORWARDS) keep = false;
    }
    if (keep && head.nominates && isNominated(bytes, head, base)) keep = false;
    if (keep) {
      runEnd = ints[base + LINE_END]!;
      continue;
    }
    if (runEnd > run) at = putRange(out, at, bytes, run, runEnd);
    if (id === MAX_FORWARDS) at = writeMaxForwards(out, at, bytes, ints, base);
    run = runEnd = ints[base + LINE_END]!;
  }
  if (runEnd > run) at = putRange(out, at, bytes, run, runEnd);
  copiedTo = at;
  return seen;
}

/** Says whether a Connection field of the message names the field at `base`. */
function isNominated(bytes: Uint8Array, head: RequestHead | ResponseHead, base: number): boolean {
  const ints = head.fields;
  const id = ints[base + ID]!;
  if (id > 0 && PROTECTED[id] === 1) return false;
  const nameStart = ints[base + LINE]!;
  const nameLength = ints[base + NAME_END]! - nameStart;
  let named = false;
  for (let other = 0, end = head.fieldCount * FIELD_INTS; other < end; other += FIELD_INTS) {
    if (ints[other + ID] !== CONNECTION) continue;
    eachListItem(bytes, ints[other + VALUE]!, ints[other + VALUE_END]!, (from, to) => {
      if (to - from !== nameLength) return;
      for (let at = 0; at < nameLength; at++) {
        if (TOKEN[bytes[from + at]!] !== TOKEN[bytes[nameStart + at]!]) return;
      }
      named = true;
    });
  }
  return named;
}

/** A request id that may be passed on and logged: 1 to 128 visible characters of a token. */
function isRequestId(bytes: Uint8Array, ints: Int32Array, base: number): boolean {
  const from = ints[base + VALUE]!;
  const to = ints[base + VALUE_END]!;
  if (to === from || to - from > 128) return false;
  for (let at = from; at < to; at++) if (TOKEN[bytes[at]!] === 0) return false;
  return true;
}

/** W3C Trace Context 3.2: version 00, no all-zero ids. */
function isTraceparent(bytes: Uint8Array, ints: Int32Array, base: number): boolean {
  const from = ints[base + VALUE]!;
  if (ints[base + VALUE_END]! - from !== 55) return false;
  let traceZero = true;
  let spanZero = true;
  for (let at = 0; at < 55; at++) {
    const byte = bytes[from + at]!;
    if (at === 2 || at === 35 || at === 52) {
      if (byte !== 0x2d) return false;
      continue;
    }
    if (!((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))) return false;
    if (at < 2 && byte !== 0x30) return false;
    if (byte !== 0x30 && at > 2 && at < 35) traceZero = false;
    if (byte !== 0x30 && at > 35 && at < 52) spanZero = false;
  }
  return !traceZero && !spanZero;
}

function writeMaxForwards(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  ints: Int32Array,
  base: number,
): number {
  let value = 0;
  const to = ints[base + VALUE_END]!;
  for (let digit = ints[base + VALUE]!; digit < to; digit++) {
    value = value * 10 + bytes[digit]! - 0x30;
  }
  if (!(value > 0 && value < 1e6)) return at;
  at = put(out, at, MAX_FORWARDS_NAME);
  at = putDecimal(out, at, value - 1);
  return put(out, at, CRLF);
}

/** What `writeResponseHead` needs beside the head. */
export interface ResponseExtras {
  /** The client speaks HTTP/1.1 and takes chunks. */
  readonly clientMinor: number;
  /** The client's connection stays open after this response. */
  readonly keepAlive: boolean;
  /** `Date: ...` with CRLF, for a response without one. */
  readonly dateLine: Uint8Array;
  /** The id we gave the request; empty where the client brought its own. */
  readonly requestId: Uint8Array;
  /** Lines of our own, each with its CRLF: sticky cookie, HSTS. */
  readonly lines: Uint8Array;
}

/**
 * Writes the head that goes to a client; returns the offset behind it. The content that follows is
 * chunked where `chunkedToClient` says so, else as long as Content-Length says or until the close.
 */
export function writeResponseHead(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  head: ResponseHead,
  extras: ResponseExtras,
): number {
  at = putShort(out, at, HTTP_1_1_FIRST);
  at = putRange(out, at, bytes, head.codeStart, head.lineEnd);
  const switching = head.code === 101;
  const chunked = chunkedToClient(head, extras.clientMinor);
  const keepFraming = head.framing === CHUNKED
    ? chunked && head.canonicalFraming
    : head.canonicalFraming;
  const bodyless = head.code === 204 || head.code < 200;
  const drop = bodyless || !keepFraming || head.framing !== CHUNKED
    ? (bodyless || !keepFraming ? DROP_FRAMING : DROP_CODING)
    : DROP_RESPONSE;
  const seen = copyKept(out, at, bytes, head, drop, false, switching);
  at = copiedTo;
  if (chunked && (head.framing === UNTIL_CLOSE || !keepFraming)) at = put(out, at, CHUNKED_LINE);
  else if (head.framing === BY_LENGTH && !keepFraming) {
    at = writeFraming(out, at, BY_LENGTH, head.length);
  }
  if (!head.hasDate && head.code >= 200) at = put(out, at, extras.dateLine);
  if (head.code >= 200) {
    if ((seen & SAW_REQUEST_ID) === 0 && extras.requestId.length > 0) {
      at = putShort(out, at, REQUEST_ID);
      at = putShort(out, at, extras.requestId);
      at = putShort(out, at, CRLF);
    }
    at = putRange(out, at, extras.lines, 0, extras.lines.length);
  }
  if (switching) at = put(out, at, CONNECTION_UPGRADE);
  else if (head.code >= 200) {
    if (!extras.keepAlive) at = put(out, at, CONNECTION_CLOSE);
    else if (extras.clientMinor === 0) at = put(out, at, CONNECTION_KEEP_ALIVE);
  }
  return putShort(out, at, CRLF);
}

const DROP_CODING = idSet(...HOP_BY_HOP, TRANSFER_ENCODING);
const DROP_FRAMING = idSet(...HOP_BY_HOP, TRANSFER_ENCODING, CONTENT_LENGTH);

/** Whether the content goes to a client of HTTP/1.`minor` in chunks. */
export function chunkedToClient(head: ResponseHead, minor: number): boolean {
  return minor >= 1 && (head.framing === CHUNKED || head.framing === UNTIL_CLOSE);
}
