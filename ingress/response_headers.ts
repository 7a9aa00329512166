import { ascii } from "./field_block.ts";
import { CONTENT_LENGTH, TRANSFER_ENCODING } from "./fields.ts";
import {
  CHUNKED_LINE,
  CONNECTION_UPGRADE,
  copiedTo,
  copyKept,
  CRLF,
  HOP_BY_HOP,
  idSet,
  put,
  putRange,
  putShort,
  REQUEST_ID,
  SAW_REQUEST_ID,
  writeFraming,
} from "./header_bytes.ts";
import { BY_LENGTH, CHUNKED, type ResponseHead, UNTIL_CLOSE } from "./http1.ts";

/** Most bytes that `writeResponseHead` adds to a head, but for the given lines. */
export const RESPONSE_HEAD_ROOM = 512;

const HTTP_1_1_FIRST = ascii("HTTP/1.1 ");
const SPACE_CRLF = ascii(" \r\n");
const CONNECTION_CLOSE = ascii("Connection: close\r\n");
const CONNECTION_KEEP_ALIVE = ascii("Connection: keep-alive\r\n");

const DROP_RESPONSE = idSet(...HOP_BY_HOP);
const DROP_CODING = idSet(...HOP_BY_HOP, TRANSFER_ENCODING);
const DROP_FRAMING = idSet(...HOP_BY_HOP, TRANSFER_ENCODING, CONTENT_LENGTH);

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
  // The space before the reason belongs there even if there is none (RFC 9112 4).
  if (head.lineEnd - head.codeStart === 5) {
    at = putRange(out, at, bytes, head.codeStart, head.codeStart + 3);
    at = putShort(out, at, SPACE_CRLF);
  } else at = putRange(out, at, bytes, head.codeStart, head.lineEnd);
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

/** Whether the content goes to a client of HTTP/1.`minor` in chunks. */
export function chunkedToClient(head: ResponseHead, minor: number): boolean {
  return minor >= 1 && (head.framing === CHUNKED || head.framing === UNTIL_CLOSE);
}
