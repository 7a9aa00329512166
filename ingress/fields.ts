// Field names that the ingress must understand, recognised from a hash made while they are scanned.

/** Ids of known fields; 0 is any other. */
export const OTHER = 0;
export const HOST = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const CONNECTION = 4;
export const KEEP_ALIVE = 5;
export const PROXY_CONNECTION = 6;
export const TE = 7;
export const TRAILER = 8;
export const UPGRADE = 9;
export const EXPECT = 10;
export const X_FORWARDED_FOR = 11;
export const X_FORWARDED_PROTO = 12;
export const X_FORWARDED_HOST = 13;
export const X_REAL_IP = 14;
export const X_REQUEST_ID = 15;
export const TRACEPARENT = 16;
export const FORWARDED = 17;
export const COOKIE = 18;
export const MAX_FORWARDS = 19;
export const PROXY_AUTHORIZATION = 20;
export const PROXY_AUTHENTICATE = 21;
export const HTTP2_SETTINGS = 22;
export const USER_AGENT = 23;
export const REFERER = 24;
export const DATE = 25;
export const X_FORWARDED_PORT = 26;
export const X_FORWARDED_SERVER = 27;
export const X_FORWARDED_PREFIX = 28;
export const X_FORWARDED_SSL = 29;
export const CONTENT_TYPE = 30;
export const AUTHORIZATION = 31;
export const STRICT_TRANSPORT_SECURITY = 32;
export const SET_COOKIE = 33;
export const CONTENT_ENCODING = 34;
export const CONTENT_RANGE = 35;
export const CACHE_CONTROL = 36;
export const AGE = 37;
export const EXPIRES = 38;
export const LOCATION = 39;
export const RETRY_AFTER = 40;
export const VARY = 41;
export const WWW_AUTHENTICATE = 42;
export const RANGE = 43;
export const IF_MATCH = 44;
export const IF_NONE_MATCH = 45;
export const IF_MODIFIED_SINCE = 46;
export const IF_UNMODIFIED_SINCE = 47;
export const IF_RANGE = 48;
export const TRACESTATE = 49;

/** Names by id. */
export const FIELD_NAMES: readonly string[] = [
  "",
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-real-ip",
  "x-request-id",
  "traceparent",
  "forwarded",
  "cookie",
  "max-forwards",
  "proxy-authorization",
  "proxy-authenticate",
  "http2-settings",
  "user-agent",
  "referer",
  "date",
  "x-forwarded-port",
  "x-forwarded-server",
  "x-forwarded-prefix",
  "x-forwarded-ssl",
  "content-type",
  "authorization",
  "strict-transport-security",
  "set-cookie",
  "content-encoding",
  "content-range",
  "cache-control",
  "age",
  "expires",
  "location",
  "retry-after",
  "vary",
  "www-authenticate",
  "range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
  "tracestate",
];

/**
 * For each byte: its lower-case form if it may stand in a token (RFC 9110 5.6.2), else 0. `_`
 * stands for itself here; `fieldHash` folds it into `-`.
 */
export const TOKEN: Uint8Array = (() => {
  const table = new Uint8Array(256);
  const signs = "!#$%&'*+-.^_`|~";
  for (const each of `${signs}0123456789abcdefghijklmnopqrstuvwxyz`) {
    table[each.charCodeAt(0)] = each.charCodeAt(0);
  }
  for (let upper = 65; upper <= 90; upper++) table[upper] = upper + 32;
  return table;
})();

/** As `TOKEN`, with `_` folded into `-`, because CGI-like backends read both as the same name. */
export const FOLDED: Uint8Array = (() => {
  const table = TOKEN.slice();
  table[0x5f] = 0x2d;
  return table;
})();

const SLOTS = 1024;
const SEED = 7;

/** One step of the hash over folded name bytes. */
export function fieldHash(hash: number, folded: number): number {
  return (Math.imul(hash, 33) ^ folded) | 0;
}
export const HASH_START = SEED;

// Open addressing with one step; the table is made once and collisions are walked.
const slots: Uint8Array = (() => {
  const table = new Uint8Array(SLOTS);
  FIELD_NAMES.forEach((name, id) => {
    if (id === 0) return;
    let hash = HASH_START;
    for (let at = 0; at < name.length; at++) hash = fieldHash(hash, name.charCodeAt(at));
    let slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
    while (table[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
    table[slot] = id;
  });
  return table;
})();

const nameBytes: readonly Uint8Array[] = FIELD_NAMES.map((name) =>
  Uint8Array.from(name, (each) => each.charCodeAt(0))
);

/** The id of the name at `bytes[from, to)`, whose folded hash is given; 0 if it is unknown. */
export function identify(bytes: Uint8Array, from: number, to: number, hash: number): number {
  let slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
  for (;;) {
    const id = slots[slot]!;
    if (id === 0) return OTHER;
    const name = nameBytes[id]!;
    if (name.length === to - from) {
      let at = 0;
      while (at < name.length && FOLDED[bytes[from + at]!] === name[at]) at++;
      if (at === name.length) return id;
    }
    slot = (slot + 1) & (SLOTS - 1);
  }
}

/** Hashes and identifies a whole name. */
export function identifyName(bytes: Uint8Array, from: number, to: number): number {
  let hash = HASH_START;
  for (let at = from; at < to; at++) hash = fieldHash(hash, FOLDED[bytes[at]!]!);
  return identify(bytes, from, to, hash);
}

/**
 * Fields that make a trailer section an attack: framing, routing, and what only we may say
 * (RFC 9110 6.5.1). A message that carries one there is refused.
 */
export const REFUSED_IN_TRAILERS: ReadonlySet<number> = new Set([
  HOST,
  CONTENT_LENGTH,
  TRANSFER_ENCODING,
  CONNECTION,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TE,
  TRAILER,
  UPGRADE,
  EXPECT,
  X_FORWARDED_FOR,
  X_FORWARDED_PROTO,
  X_FORWARDED_HOST,
  X_FORWARDED_PORT,
  X_FORWARDED_SERVER,
  X_FORWARDED_PREFIX,
  X_FORWARDED_SSL,
  X_REAL_IP,
  FORWARDED,
  MAX_FORWARDS,
]);

/** Fields that mean nothing after the content and are left out of forwarded trailers. */
export const DROPPED_IN_TRAILERS: ReadonlySet<number> = new Set([
  AGE,
  AUTHORIZATION,
  CACHE_CONTROL,
  CONTENT_ENCODING,
  CONTENT_RANGE,
  CONTENT_TYPE,
  COOKIE,
  DATE,
  EXPIRES,
  IF_MATCH,
  IF_MODIFIED_SINCE,
  IF_NONE_MATCH,
  IF_RANGE,
  IF_UNMODIFIED_SINCE,
  LOCATION,
  PROXY_AUTHENTICATE,
  PROXY_AUTHORIZATION,
  RANGE,
  RETRY_AFTER,
  SET_COOKIE,
  STRICT_TRANSPORT_SECURITY,
  TRACEPARENT,
  VARY,
  WWW_AUTHENTICATE,
  X_REQUEST_ID,
]);
