// Bytes of heads: writing them, and copying the fields that go on to the next hop.

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
  FOLDED,
  FORWARDED,
  HOST,
  KEEP_ALIVE,
  MAX_FORWARDS,
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
import { CHUNKED, eachListItem, type RequestHead, type ResponseHead } from "./http1.ts";

export const CRLF = ascii("\r\n");
export const REQUEST_ID = ascii("X-Request-Id: ");
export const CHUNKED_LINE = ascii("Transfer-Encoding: chunked\r\n");
export const CONNECTION_UPGRADE = ascii("Connection: upgrade\r\n");
const CONTENT_LENGTH_NAME = ascii("Content-Length: ");
const MAX_FORWARDS_NAME = ascii("Max-Forwards: ");

/** What only somebody we trust may say of who stands before them; so is all of `X-Forwarded-*`. */
export const CLAIMS: readonly number[] = [
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

/** A set of field ids, as a table. */
export function idSet(...ids: number[]): Uint8Array {
  const set = new Uint8Array(FIELD_NAMES.length);
  for (const id of ids) set[id] = 1;
  return set;
}

/** What never goes from one hop to the next (RFC 9110 7.6.1). */
export const HOP_BY_HOP: readonly number[] = [
  CONNECTION,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  UPGRADE,
  TE,
];
// Connection may not name these away: they frame, route or vouch for the message.
const PROTECTED = idSet(
  HOST,
  CONTENT_LENGTH,
  TRANSFER_ENCODING,
  DATE,
  MAX_FORWARDS,
  X_REQUEST_ID,
  TRACEPARENT,
  ...CLAIMS,
);
const CLAIM_START = ascii("x-forwarded-");

/** Copies `word` to `out` at `at`; returns the offset behind it. */
export function put(out: Uint8Array, at: number, word: Uint8Array): number {
  out.set(word, at);
  return at + word.length;
}

/** The same for short words. */
export function putShort(out: Uint8Array, at: number, word: Uint8Array): number {
  for (let index = 0; index < word.length; index++) out[at + index] = word[index]!;
  return at + word.length;
}

/** Copies `bytes[from, to)`. */
export function putRange(
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

/** Writes how long the content is, in the one canonical spelling. */
export function writeFraming(out: Uint8Array, at: number, framing: number, length: number): number {
  if (framing === CHUNKED) return put(out, at, CHUNKED_LINE);
  at = put(out, at, CONTENT_LENGTH_NAME);
  at = putDecimal(out, at, length);
  return putShort(out, at, CRLF);
}

export const SAW_REQUEST_ID = 1;
export const SAW_TRACE = 2;
export const SAW_FORWARDED_HOST = 4;

/** Where `copyKept` has left off. */
export let copiedTo = 0;

/**
 * Copies the kept fields in runs; returns which of the `SAW_` fields are among them, and leaves the
 * offset behind them in `copiedTo`.
 */
export function copyKept(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  head: RequestHead | ResponseHead,
  drop: Uint8Array,
  dropHost: boolean,
  keepUpgrade: boolean,
  dropClaims = false,
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
    if (keep && id === 0 && dropClaims && isClaim(bytes, ints, base)) keep = false;
    if (keep && head.nominates && id !== UPGRADE && isNominated(bytes, head, base)) keep = false;
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

/** Says whether an unknown field is one of `X-Forwarded-*`, `_` read as `-`. */
function isClaim(bytes: Uint8Array, ints: Int32Array, base: number): boolean {
  const from = ints[base + LINE]!;
  if ((bytes[from]! | 0x20) !== 0x78 || ints[base + NAME_END]! - from < CLAIM_START.length) {
    return false;
  }
  for (let at = 0; at < CLAIM_START.length; at++) {
    if (FOLDED[bytes[from + at]!] !== CLAIM_START[at]) return false;
  }
  return true;
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
export function isTraceparent(bytes: Uint8Array, ints: Int32Array, base: number): boolean {
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
