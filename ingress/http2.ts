// Between HTTP/2 streams and the HTTP/1.1 that the rest of the ingress speaks: header lists to heads
// and back, by RFC 9113 8.2 and 8.3.

import { ascii, FIELD_INTS, ID, latin1, LINE, NAME_END, VALUE, VALUE_END } from "./field_block.ts";
import {
  CONNECTION,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TOKEN,
  TRANSFER_ENCODING,
  UPGRADE,
} from "./fields.ts";
import type { ResponseHead } from "./http1.ts";

/** A header list as node:http2 gives and takes it. */
export type HeaderList = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What becomes of a stream's header list. */
export type Http1Request =
  | {
    readonly kind: "request";
    readonly head: Uint8Array<ArrayBuffer>;
    /** Bytes of content that are announced; `null`: chunks are needed. */
    readonly length: number | null;
    readonly toHead: boolean;
    readonly expects: boolean;
  }
  /** Malformed: the stream is reset (RFC 9113 8.1.1). */
  | { readonly kind: "malformed"; readonly reason: string };

const CONNECTION_FIELDS = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

function malformed(reason: string): Http1Request {
  return { kind: "malformed", reason };
}

function isValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    if (unit > 0xff || unit === 0x7f || (unit < 0x20 && unit !== 0x09)) return false;
  }
  return value === value.trim() || value.trim() === "";
}

function isName(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const unit = name.charCodeAt(at);
    if (unit > 0x7e || TOKEN[unit] !== unit) return false;
  }
  return name !== "";
}

/** Turns the header list of a request into the head of an HTTP/1.1 request. */
export function http1Request(list: HeaderList, endStream: boolean): Http1Request {
  const pseudo = (name: string) => list[name];
  const method = pseudo(":method");
  const path = pseudo(":path");
  if (typeof method !== "string" || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) {
    return malformed("bad :method");
  }
  const authority = pseudo(":authority") ?? list["host"];
  if (method === "CONNECT") {
    if (path !== undefined || pseudo(":scheme") !== undefined) return malformed("bad CONNECT");
    return requestOf(
      `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
      0,
      method,
      false,
    );
  }
  const scheme = pseudo(":scheme");
  if (scheme !== "https" && scheme !== "http") return malformed("bad :scheme");
  if (typeof path !== "string" || !(path.startsWith("/") || path === "*")) {
    return malformed("bad :path");
  }
  if (/[^!-~]/.test(path)) return malformed("bad :path");
  if (typeof authority !== "string" || !isValue(authority)) return malformed("bad :authority");
  const host = list["host"];
  if (
    host !== undefined &&
    (typeof host !== "string" || host.toLowerCase() !== authority.toLowerCase())
  ) {
    return malformed("host is not :authority");
  }
  const length = lengthOf(list, endStream);
  if (typeof length === "string") return malformed(length);
  let head = `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\n`;
  for (const [name, value] of Object.entries(list)) {
    if (value === undefined) continue;
    if (name.startsWith(":")) {
      if (![":method", ":path", ":scheme", ":authority"].includes(name)) {
        return malformed("unknown pseudo-header field");
      }
      continue;
    }
    if (!isName(name)) return malformed("bad field name");
    if (CONNECTION_FIELDS.has(name)) return malformed(`${name} in HTTP/2`);
    if (name === "te" && value !== "trailers") return malformed("te other than trailers");
    if (name === "host" || name === "content-length" || name === "expect") continue;
    const values = typeof value === "string" ? [value] : value;
    if (!values.every(isValue)) return malformed("bad field value");
    if (name === "cookie") head += `cookie: ${values.join("; ")}\r\n`;
    else for (const each of values) head += `${name}: ${each}\r\n`;
  }
  if (length === null) head += "Transfer-Encoding: chunked\r\n";
  else if (length > 0 || list["content-length"] !== undefined) {
    head += `Content-Length: ${length}\r\n`;
  }
  // One stream is one request: nothing behind it is ever read as another.
  const expects = String(list["expect"] ?? "").toLowerCase() === "100-continue";
  return requestOf(`${head}Connection: close\r\n\r\n`, length, method, expects && !endStream);
}

function requestOf(
  text: string,
  length: number | null,
  method: string,
  expects: boolean,
): Http1Request {
  return { kind: "request", head: ascii(text), length, toHead: method === "HEAD", expects };
}

function lengthOf(list: HeaderList, endStream: boolean): number | null | string {
  const text = list["content-length"];
  if (text === undefined) return endStream ? 0 : null;
  if (typeof text !== "string" || !/^\d{1,15}$/.test(text)) return "bad content-length";
  const length = Number(text);
  return endStream && length > 0 ? "content-length without content" : length;
}

/** Fields of which node:http2 takes one value only; further ones are left out. */
const SINGLE = new Set([
  "age",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-md5",
  "content-range",
  "content-type",
  "date",
  "etag",
  "expires",
  "last-modified",
  "location",
  "max-forwards",
  "retry-after",
  "server",
  "x-content-type-options",
]);

/** Turns the head of a response into a header list. */
export function http2Response(
  bytes: Uint8Array,
  head: ResponseHead,
): Record<string, string | string[]> {
  const list: Record<string, string | string[]> = { ":status": String(head.code) };
  const ints = head.fields;
  for (let base = 0, end = head.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
    const id = ints[base + ID]!;
    if (
      id === CONNECTION || id === KEEP_ALIVE || id === PROXY_CONNECTION ||
      id === TRANSFER_ENCODING || id === UPGRADE
    ) continue;
    const name = latin1(bytes, ints[base + LINE]!, ints[base + NAME_END]!).toLowerCase();
    const value = latin1(bytes, ints[base + VALUE]!, ints[base + VALUE_END]!);
    const known = list[name];
    if (known === undefined) list[name] = value;
    else if (SINGLE.has(name)) continue;
    else list[name] = typeof known === "string" ? [known, value] : [...known, value];
  }
  return list;
}

/** Reads the trailers at the end of a chunked body, `0 CRLF *(line CRLF) CRLF`, into a list. */
export function trailerList(tail: Uint8Array): Record<string, string> {
  const list: Record<string, string> = {};
  for (const line of latin1(tail, 0, tail.length).split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) list[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return list;
}

/** Writes trailers of a stream as the end of a chunked body. */
export function chunkedTail(list: HeaderList): Uint8Array<ArrayBuffer> {
  let text = "0\r\n";
  for (const [name, value] of Object.entries(list)) {
    if (typeof value === "string" && isName(name) && isValue(value)) {
      text += `${name}: ${value}\r\n`;
    }
  }
  return ascii(`${text}\r\n`);
}
