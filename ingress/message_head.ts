// What heads of requests and responses have in common.

import {
  ascii,
  DONE,
  FIELD_INTS,
  FieldBlock,
  ID,
  isWord,
  LINE_END,
  NAME_END,
  type Progress,
  VALUE,
  VALUE_END,
} from "./field_block.ts";
import { CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING } from "./fields.ts";
import { isDigit } from "./target.ts";

const SPACE = 0x20;
const COMMA = 0x2c;
const TAB = 0x09;

// How a message's content ends (RFC 9112 6.3).
export const NO_BODY = 0;
export const BY_LENGTH = 1;
export const CHUNKED = 2;
export const UNTIL_CLOSE = 3;

const VERSION = ascii("HTTP/");
const CHUNKED_WORD = ascii("chunked");
const CLOSE_WORD = ascii("close");
const KEEP_ALIVE_WORD = ascii("keep-alive");
const UPGRADE_WORD = ascii("upgrade");

// What the Connection field says, one bit each.
const SAYS_CLOSE = 1;
const SAYS_KEEP_ALIVE = 2;
const SAYS_UPGRADE = 4;
const SAYS_OTHER = 8;

/** What requests and responses have in common: version, Connection, framing fields. */
export abstract class MessageHead extends FieldBlock {
  /** The minor version of HTTP/1. */
  minor = 1;
  /** `NO_BODY`, `BY_LENGTH`, `CHUNKED` or `UNTIL_CLOSE`. */
  framing = NO_BODY;
  /** With `BY_LENGTH`: bytes of content. */
  length = 0;
  /** Whether the sender keeps the connection open after this message. */
  keepAlive = true;
  /** Whether Connection names fields of its own, which are then not passed on. */
  nominates = false;
  /** The bytes of the one field value that is the length are exactly its decimal form. */
  canonicalFraming = true;

  protected saysUpgrade = false;
  protected versionAt = 0;
  protected codings = 0;
  protected lengths = 0;
  protected badFraming = "";
  protected unknownCoding = false;
  protected chunkedCodings = 0;
  protected lastIsChunked = false;

  protected restartMessage(start: number, phase: number): void {
    this.restartFields(start, phase);
    this.versionAt = 0;
  }

  /** Reads `HTTP/1.x`; returns 0 more, 1 done (`this.at` behind it), 2 bad. */
  protected parseVersion(bytes: Uint8Array, stop: number): Progress {
    let at = this.at;
    let done = this.versionAt;
    while (done < 8) {
      if (at === stop) {
        this.versionAt = done;
        return this.wait(at);
      }
      const byte = bytes[at]!;
      const fits = done < 5 ? byte === VERSION[done] : done === 6 ? byte === 0x2e : isDigit(byte);
      if (!fits) return this.bad(400, "HTTP version is not HTTP/digit.digit");
      if (done === 5 && byte !== 0x31) return this.bad(505, "only HTTP/1 is spoken here");
      if (done === 7) this.minor = byte - 0x30;
      done++;
      at++;
    }
    this.versionAt = done;
    this.at = at;
    return DONE;
  }

  /** Looks at Connection, Content-Length and Transfer-Encoding. */
  protected readMessageFields(bytes: Uint8Array): void {
    this.nominates = false;
    this.saysUpgrade = false;
    this.canonicalFraming = true;
    this.codings = 0;
    this.lengths = 0;
    this.badFraming = "";
    this.unknownCoding = false;
    this.chunkedCodings = 0;
    this.lastIsChunked = false;
    this.length = 0;
    let says = 0;
    const ints = this.fields;
    for (let base = 0, end = this.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
      const id = ints[base + ID]!;
      if (id <= 0 || id > CONNECTION) continue;
      const from = ints[base + VALUE]!;
      const to = ints[base + VALUE_END]!;
      if (id === CONNECTION) says |= connectionSays(bytes, from, to);
      else if (id === CONTENT_LENGTH || id === TRANSFER_ENCODING) {
        // What frames the message is passed on in one spelling only: `Name: value`.
        if (
          from - ints[base + NAME_END]! !== 2 || bytes[from - 1] !== SPACE ||
          ints[base + LINE_END]! - to !== 2
        ) this.canonicalFraming = false;
        if (id === CONTENT_LENGTH) this.readLength(bytes, from, to);
        else this.readCodings(bytes, from, to);
      }
    }
    this.nominates = (says & SAYS_OTHER) !== 0;
    this.saysUpgrade = (says & SAYS_UPGRADE) !== 0;
    this.keepAlive = (says & SAYS_CLOSE) !== 0
      ? false
      : this.minor >= 1 || (says & SAYS_KEEP_ALIVE) !== 0;
  }

  private readLength(bytes: Uint8Array, from: number, to: number): void {
    if (++this.lengths > 1) {
      this.badFraming = "more than one Content-Length";
      return;
    }
    let length = 0;
    for (let at = from; at < to; at++) {
      if (!isDigit(bytes[at]!)) length = NaN;
      length = length * 10 + bytes[at]! - 0x30;
    }
    if (from === to || !(length <= Number.MAX_SAFE_INTEGER)) {
      this.badFraming = "Content-Length is not one whole number";
      return;
    }
    this.length = length;
    if (to - from > 1 && bytes[from] === 0x30) this.canonicalFraming = false;
  }

  private readCodings(bytes: Uint8Array, from: number, to: number): void {
    if (++this.codings > 1 || bytes[from] !== 0x63) this.canonicalFraming = false;
    eachListItem(bytes, from, to, (start, end) => {
      const chunked = isWord(bytes, start, end, CHUNKED_WORD);
      if (start === end) this.badFraming = "empty transfer coding";
      if (chunked) this.chunkedCodings++;
      else this.unknownCoding = true;
      this.lastIsChunked = chunked;
    });
  }
}

function connectionSays(bytes: Uint8Array, from: number, to: number): number {
  // The two usual values first: a list is rare.
  if (isWord(bytes, from, to, KEEP_ALIVE_WORD)) return SAYS_KEEP_ALIVE;
  if (isWord(bytes, from, to, CLOSE_WORD)) return SAYS_CLOSE;
  let says = 0;
  eachListItem(bytes, from, to, (start, end) => {
    if (start === end) return;
    if (isWord(bytes, start, end, CLOSE_WORD)) says |= SAYS_CLOSE;
    else if (isWord(bytes, start, end, KEEP_ALIVE_WORD)) says |= SAYS_KEEP_ALIVE;
    else if (isWord(bytes, start, end, UPGRADE_WORD)) says |= SAYS_UPGRADE;
    else says |= SAYS_OTHER;
  });
  return says;
}

/** Calls back for each element of a comma-separated list, trimmed; empty ones included. */
export function eachListItem(
  bytes: Uint8Array,
  from: number,
  to: number,
  item: (start: number, end: number) => void,
): void {
  let start = from;
  for (let at = from; at <= to; at++) {
    if (at < to && bytes[at] !== COMMA) continue;
    let left = start;
    let right = at;
    while (left < right && (bytes[left] === SPACE || bytes[left] === TAB)) left++;
    while (right > left && (bytes[right - 1] === SPACE || bytes[right - 1] === TAB)) right--;
    item(left, right);
    start = at + 1;
  }
}
