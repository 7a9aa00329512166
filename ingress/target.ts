// Authorities and paths of request targets (RFC 3986, RFC 9112 3.2).

const COLON = 0x3a;
const DOT = 0x2e;
const SLASH = 0x2f;
const PERCENT = 0x25;
const QUESTION = 0x3f;

/** A host of 255 bytes, a colon and five digits. */
const AUTHORITY_BYTES = 261;

const NAME_BYTE = 1;
const HEX_BYTE = 2;
const DIGIT_BYTE = 4;
const UNRESERVED = 8;

const kinds: Uint8Array = (() => {
  const table = new Uint8Array(256);
  const mark = (text: string, kind: number) => {
    for (const each of text) table[each.charCodeAt(0)]! |= kind;
  };
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const unreserved = `${letters}${letters.toUpperCase()}0123456789-._~`;
  mark(unreserved, NAME_BYTE | UNRESERVED);
  mark("0123456789abcdefABCDEF", HEX_BYTE);
  mark("0123456789", DIGIT_BYTE);
  return table;
})();

export function isDigit(byte: number): boolean {
  return (kinds[byte]! & DIGIT_BYTE) !== 0;
}

export function isHex(byte: number): boolean {
  return (kinds[byte]! & HEX_BYTE) !== 0;
}

/**
 * Checks `host [":" port]` in `bytes[from, to)` and returns where the host ends, or -1.
 *
 * Stricter than RFC 3986: a name holds letters, digits, `-._~` only and no empty label but a last
 * one, and is at most 255 bytes long; a port is at most 65535. An empty host is refused.
 */
export function authorityHostEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  if (to - from > AUTHORITY_BYTES) return -1;
  if (bytes[at] === 0x5b && at < to) {
    const close = bytes.indexOf(0x5d, at);
    if (close < 0 || close >= to || !isIpv6(bytes, at + 1, close)) return -1;
    at = close + 1;
  } else {
    while (at < to && (kinds[bytes[at]!]! & NAME_BYTE) !== 0) {
      if (bytes[at] === DOT && (at === from || bytes[at - 1] === DOT)) return -1;
      at++;
    }
    if (at === from) return -1;
  }
  const hostEnd = at;
  if (at === to) return hostEnd;
  if (bytes[at] !== COLON || to - at > 6) return -1;
  let port = 0;
  for (at++; at < to; at++) {
    if (!isDigit(bytes[at]!)) return -1;
    port = port * 10 + bytes[at]! - 0x30;
  }
  return port > 65_535 ? -1 : hostEnd;
}

/** An IPv6 address (RFC 4291 2.2), with an optional dotted IPv4 tail. */
export function isIpv6(bytes: Uint8Array, from: number, to: number): boolean {
  let groups = 0;
  let gap = false;
  let at = from;
  if (to - from < 2) return false;
  if (bytes[at] === COLON) {
    if (bytes[at + 1] !== COLON) return false;
    gap = true;
    at += 2;
  }
  while (at < to) {
    const start = at;
    while (at < to && isHex(bytes[at]!)) at++;
    if (at < to && bytes[at] === DOT) {
      groups += 2;
      return isIpv4(bytes, start, to) && (gap ? groups < 8 : groups === 8);
    }
    if (at === start || at - start > 4) return false;
    groups++;
    if (at === to) break;
    if (bytes[at] !== COLON) return false;
    at++;
    if (at === to) return false;
    if (bytes[at] === COLON) {
      if (gap) return false;
      gap = true;
      at++;
    }
  }
  return gap ? groups < 8 : groups === 8;
}

function isIpv4(bytes: Uint8Array, from: number, to: number): boolean {
  let parts = 0;
  let at = from;
  for (;;) {
    let value = 0;
    const start = at;
    while (at < to && isDigit(bytes[at]!)) value = value * 10 + bytes[at++]! - 0x30;
    if (at === start || at - start > 3 || value > 255) return false;
    parts++;
    if (at === to) return parts === 4;
    if (bytes[at] !== DOT) return false;
    at++;
  }
}

/** Plain path: matched as it stands. */
export const PLAIN = 0;
/** It holds an escape, or dots that may be segments: matched in its normal form. */
export const ODD = 1;
/** A malformed escape or a backslash. */
export const MALFORMED = 2;

/** Looks at a path of printable bytes once; `from` is its first `/`, `to` its end (no query). */
export function classifyPath(bytes: Uint8Array, from: number, to: number): number {
  let kind = PLAIN;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === PERCENT) {
      if (at + 2 >= to || !isHex(bytes[at + 1]!) || !isHex(bytes[at + 2]!)) return MALFORMED;
      kind = ODD;
    } else if (byte === DOT) {
      if (bytes[at - 1] === SLASH) kind = ODD;
    } else if (byte === 0x5c) return MALFORMED;
  }
  return kind;
}

/** Where the query (or the end) begins. */
export function pathEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) if (bytes[at] === QUESTION) return at;
  return to;
}

/**
 * The normal form of a path (RFC 3986 6.2.2): escapes of unreserved characters decoded, other
 * escapes in upper case, dot segments removed. Two paths with the same normal form mean the same.
 */
export function normalPath(path: string): string {
  const decoded = path.replace(/%[0-9a-fA-F]{2}/g, (escape) => {
    const byte = parseInt(escape.slice(1), 16);
    const character = String.fromCharCode(byte);
    return (kinds[byte]! & UNRESERVED) !== 0 ? character : escape.toUpperCase();
  });
  const out: string[] = [];
  const segments = decoded.split("/").slice(1);
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1;
    if (segment === "..") {
      out.pop();
      if (last) out.push("");
    } else if (segment === ".") {
      if (last) out.push("");
    } else out.push(segment);
  });
  return `/${out.join("/")}`;
}
