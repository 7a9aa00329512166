// Between HTTP/2 streams and the HTTP/1.1 that the rest of the ingress speaks: fields to heads and
// back. What is malformed has been refused by the session (`h2/rules.ts`).

import { ascii, FIELD_INTS, ID, latin1, LINE, NAME_END, VALUE, VALUE_END } from "./field_block.ts";
import {
  CONNECTION,
  HOST,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TE,
  TRANSFER_ENCODING,
  UPGRADE,
} from "./fields.ts";
import { idSet } from "./header_bytes.ts";
import type { Field } from "./h2/hpack.ts";
import type { RequestHead, ResponseHead } from "./http1.ts";

/** A request of a stream, as HTTP/1.1 has it. */
export interface Http1Request {
  readonly head: Uint8Array<ArrayBuffer>;
  /** Bytes of content that are announced; `null`: chunks are needed. */
  readonly length: number | null;
  readonly toHead: boolean;
  readonly expects: boolean;
}

/** Turns the fields of a request, which the session has checked, into the head of HTTP/1.1. */
export function http1Request(fields: readonly Field[], endStream: boolean): Http1Request {
  const pseudo = (name: string) => fields.find((field) => field[0] === name)?.[1];
  const method = pseudo(":method")!;
  const authority = pseudo(":authority") ?? pseudo("host")!;
  if (method === "CONNECT") {
    const head = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
    return { head: ascii(head), length: 0, toHead: false, expects: false };
  }
  const announced = pseudo("content-length");
  const length = announced === undefined ? (endStream ? 0 : null) : Number(announced);
  let head = `${method} ${pseudo(":path")} HTTP/1.1\r\nHost: ${authority}\r\n`;
  const cookies: string[] = [];
  for (const [name, value] of fields) {
    if (name.charCodeAt(0) === 0x3a || OURS.has(name)) continue;
    if (name === "cookie") cookies.push(value);
    else head += `${name}: ${value}\r\n`;
  }
  // RFC 9113 8.2.3: crumbs make one field.
  if (cookies.length > 0) head += `cookie: ${cookies.join("; ")}\r\n`;
  if (length === null) head += "Transfer-Encoding: chunked\r\n";
  else if (announced !== undefined) head += `Content-Length: ${length}\r\n`;
  const expects = pseudo("expect")?.toLowerCase() === "100-continue" && !endStream;
  // One stream is one request: nothing behind it is ever read as another.
  return {
    head: ascii(`${head}Connection: close\r\n\r\n`),
    length,
    toHead: method === "HEAD",
    expects,
  };
}

/** Fields of a request that are said in our own words. */
const OURS = new Set(["host", "content-length", "expect", "http2-settings"]);

/** Turns the head of a response into fields. */
export function http2Response(bytes: Uint8Array, head: ResponseHead): Field[] {
  const fields: Field[] = [[":status", String(head.code)]];
  putFields(fields, bytes, head);
  return fields;
}

/** Turns the head of a request of ours into fields, for a replica that speaks HTTP/2. */
export function http2Request(bytes: Uint8Array, head: RequestHead, scheme: string): Field[] {
  const fields: Field[] = [
    [":method", latin1(bytes, head.start, head.methodEnd)],
    [":scheme", scheme],
    [":authority", latin1(bytes, head.hostStart, head.authorityEnd)],
    [":path", latin1(bytes, head.targetStart, head.targetEnd)],
  ];
  putFields(fields, bytes, head);
  if (head.wantsTrailers) fields.push(["te", "trailers"]);
  return fields;
}

function putFields(fields: Field[], bytes: Uint8Array, head: RequestHead | ResponseHead): void {
  const ints = head.fields;
  for (let base = 0, end = head.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
    const id = ints[base + ID]!;
    if (id > 0 && OF_THE_CONNECTION[id] === 1) continue;
    fields.push([
      latin1(bytes, ints[base + LINE]!, ints[base + NAME_END]!).toLowerCase(),
      latin1(bytes, ints[base + VALUE]!, ints[base + VALUE_END]!),
    ]);
  }
}

const OF_THE_CONNECTION = idSet(
  HOST,
  CONNECTION,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TE,
  TRANSFER_ENCODING,
  UPGRADE,
);

/** Turns the fields of a replica's response into the head of HTTP/1.1. */
export function http1Response(
  fields: readonly Field[],
  endStream: boolean,
): { readonly head: Uint8Array<ArrayBuffer>; readonly chunked: boolean } {
  const status = fields.find(([name]) => name === ":status")![1];
  let head = `HTTP/1.1 ${status} \r\n`;
  let announced = false;
  for (const [name, value] of fields) {
    if (name.charCodeAt(0) === 0x3a) continue;
    if (name === "content-length") announced = true;
    head += `${name}: ${value}\r\n`;
  }
  if (status.startsWith("1")) return { head: ascii(`${head}\r\n`), chunked: false };
  const chunked = !endStream && !announced;
  if (chunked) head += "Transfer-Encoding: chunked\r\n";
  else if (!announced) head += "Content-Length: 0\r\n";
  return { head: ascii(`${head}Connection: close\r\n\r\n`), chunked };
}

/** Reads the trailers at the end of a chunked body, `0 CRLF *(line CRLF) CRLF`. */
export function trailerFields(tail: Uint8Array): Field[] {
  const fields: Field[] = [];
  for (const line of latin1(tail, 0, tail.length).split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]);
  }
  return fields;
}

/** Writes trailers as the end of a chunked body. */
export function chunkedTail(fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  return ascii(`0\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
}
