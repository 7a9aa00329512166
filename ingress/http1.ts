// Heads of HTTP/1 messages, read by RFC 9112 without leniency: what two readers could understand
// differently is refused, so that nothing ambiguous reaches a replica or a client.

import { METHOD_BYTES } from "../core/limits.ts";
import {
  ascii,
  BAD,
  DONE,
  FIELD_INTS,
  FIELD_START,
  FieldBlock,
  ID,
  isWord,
  LINE_END,
  NAME_END,
  type Progress,
  VALUE,
  VALUE_END,
} from "./field_block.ts";
import {
  CONNECTION,
  CONTENT_LENGTH,
  DATE,
  EXPECT,
  HOST,
  TE,
  TOKEN,
  TRANSFER_ENCODING,
  UPGRADE,
} from "./fields.ts";
import { authorityHostEnd, classifyPath, isDigit, MALFORMED, pathEnd, PLAIN } from "./target.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const SLASH = 0x2f;
const COMMA = 0x2c;
const TAB = 0x09;

// How a message's content ends (RFC 9112 6.3).
export const NO_BODY = 0;
export const BY_LENGTH = 1;
export const CHUNKED = 2;
export const UNTIL_CLOSE = 3;

// Methods that matter; every other token is OTHER_METHOD.
export const OTHER_METHOD = 0;
export const GET = 1;
export const HEAD = 2;
export const POST = 3;
export const PUT = 4;
export const DELETE = 5;
export const OPTIONS = 6;
export const TRACE = 7;
export const CONNECT = 8;
export const PATCH = 9;
const METHODS = ["", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"]
  .map(ascii);

/** RFC 9110 9.2.2: doing it twice is doing it once. */
export function isIdempotent(method: number): boolean {
  return method === GET || method === HEAD || method === PUT || method === DELETE ||
    method === OPTIONS || method === TRACE;
}

const VERSION = ascii("HTTP/");
const CHUNKED_WORD = ascii("chunked");
const CLOSE_WORD = ascii("close");
const KEEP_ALIVE_WORD = ascii("keep-alive");
const UPGRADE_WORD = ascii("upgrade");
const CONTINUE_WORD = ascii("100-continue");
const TRAILERS_WORD = ascii("trailers");
const H2C_WORD = ascii("h2c");
const HTTP_SCHEME = ascii("http://");
const HTTPS_SCHEME = ascii("https://");

// Phases of a start line; those of the field section follow from FIELD_START.
const EMPTY_LINE = 0;
const EMPTY_LF = 1;
const METHOD = 2;
const TARGET = 3;
const VERSION_BYTES = 4;
const LINE_LF = 5;
const STATUS_CODE = 6;
const REASON = 7;

// What the Connection field says, one bit each.
const SAYS_CLOSE = 1;
const SAYS_KEEP_ALIVE = 2;
const SAYS_UPGRADE = 4;
const SAYS_OTHER = 8;

/** What requests and responses have in common: version, Connection, framing fields. */
abstract class MessageHead extends FieldBlock {
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

/** The head of a request. All offsets are into the buffer given to `parse`. */
export class RequestHead extends MessageHead {
  method = OTHER_METHOD;
  methodEnd = 0;
  /** The request-target as sent. */
  targetStart = 0;
  targetEnd = 0;
  /** Path and query within the target; equal where an absolute-form has no path. */
  pathStart = 0;
  pathEnd = 0;
  /** `PLAIN`, or `ODD`: has escapes or dot segments, so that it is matched in its normal form. */
  pathKind = PLAIN;
  /** End of the request line, LF included. */
  lineEnd = 0;
  /** The authority that the request is for, from the target or from Host; -1 if there is none. */
  hostStart = -1;
  /** Where its host ends, and where its port, if any, does. */
  hostEnd = -1;
  authorityEnd = -1;
  /** The target is in absolute-form: its authority takes the place of Host. */
  absolute = false;
  /** `OPTIONS *`. */
  asterisk = false;
  /** The client waits for `100 Continue` before it sends content. */
  expects = false;
  /** The client wants to upgrade and may. */
  upgrade = false;
  /** The client takes trailers (`TE: trailers`). */
  wantsTrailers = false;
  private emptyLines = 0;

  /** Starts a new message at `start`. */
  restart(start: number): void {
    this.restartMessage(start, EMPTY_LINE);
    this.emptyLines = 0;
  }

  /** Nothing but an empty line has come yet. */
  get untouched(): boolean {
    return this.phase <= EMPTY_LF;
  }

  /** Parses on in `bytes`, of which everything before `end` has arrived. */
  parse(bytes: Uint8Array, end: number): Progress {
    const stop = this.bound(end);
    for (;;) {
      let at = this.at;
      switch (this.phase) {
        case EMPTY_LINE:
          if (at === stop) return this.wait(at);
          if (bytes[at] === CR && this.emptyLines === 0) {
            this.emptyLines++;
            this.at++;
            this.phase = EMPTY_LF;
            continue;
          }
          this.start = at;
          this.phase = METHOD;
          continue;
        case EMPTY_LF:
          if (at === stop) return this.wait(at);
          if (bytes[at] !== LF) return this.bad(400, "bare CR before the request line");
          this.at++;
          this.phase = EMPTY_LINE;
          continue;
        case METHOD: {
          while (at < stop && TOKEN[bytes[at]!] !== 0) at++;
          if (at - this.start > METHOD_BYTES) return this.bad(501, "method too long");
          if (at === stop) return this.wait(at);
          if (bytes[at] !== SPACE || at === this.start) {
            return this.bad(400, "method is not a token followed by one space");
          }
          this.methodEnd = at;
          this.at = this.targetStart = at + 1;
          this.phase = TARGET;
          continue;
        }
        case TARGET: {
          while (at < stop) {
            const byte = bytes[at]!;
            if (byte <= SPACE || byte >= 0x7f || byte === 0x23) break;
            at++;
          }
          if (at === stop) {
            const progress = this.wait(at);
            return progress === BAD ? this.bad(414, "request target too long") : progress;
          }
          if (bytes[at] !== SPACE) return this.badTarget(bytes[at]!);
          if (at === this.targetStart) return this.bad(400, "empty request target");
          this.targetEnd = at;
          this.at = at + 1;
          this.phase = VERSION_BYTES;
          continue;
        }
        case VERSION_BYTES: {
          const progress = this.parseVersion(bytes, stop);
          if (progress !== DONE) return progress;
          at = this.at;
          if (at === stop) return this.wait(at);
          if (bytes[at] !== CR) return this.bad(400, "request line does not end in CRLF");
          this.at++;
          this.phase = LINE_LF;
          continue;
        }
        case LINE_LF:
          if (at === stop) return this.wait(at);
          if (bytes[at] !== LF) return this.bad(400, "bare CR in the request line");
          this.at = this.lineEnd = this.fieldsStart = at + 1;
          this.phase = FIELD_START;
          continue;
        default: {
          const progress = this.parseFields(bytes, stop);
          return progress === DONE ? this.finish(bytes) : progress;
        }
      }
    }
  }

  private badTarget(byte: number): Progress {
    if (byte === 0x23) return this.bad(400, "fragment in the request target");
    if (byte >= 0x80) return this.bad(400, "unescaped byte above 0x7f in the request target");
    return this.bad(400, "request line is not method, target, version");
  }

  private finish(bytes: Uint8Array): Progress {
    this.method = methodOf(bytes, this.start, this.methodEnd);
    this.readMessageFields(bytes);
    this.expects = false;
    this.wantsTrailers = false;
    this.hostStart = this.hostEnd = this.authorityEnd = -1;
    let upgradable = false;
    let hosts = 0;
    const ints = this.fields;
    for (let base = 0, end = this.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
      const id = ints[base + ID]!;
      const from = ints[base + VALUE]!;
      const to = ints[base + VALUE_END]!;
      if (id === HOST) {
        hosts++;
        const hostEnd = authorityHostEnd(bytes, from, to);
        if (hostEnd < 0) return this.bad(400, "Host is not a host and a port");
        this.setAuthority(from, hostEnd, to);
      } else if (id === EXPECT) {
        if (!isWord(bytes, from, to, CONTINUE_WORD)) return this.bad(417, "unknown expectation");
        this.expects = this.minor >= 1;
      } else if (id === TE) {
        eachListItem(bytes, from, to, (start, end) => {
          if (isWord(bytes, start, end, TRAILERS_WORD)) this.wantsTrailers = true;
        });
      } else if (id === UPGRADE) upgradable = !isWord(bytes, from, to, H2C_WORD);
    }
    if (hosts > 1) return this.bad(400, "more than one Host");
    if (hosts === 0 && this.minor >= 1) return this.bad(400, "no Host");
    this.upgrade = upgradable && this.saysUpgrade && this.minor >= 1;
    const target = this.readTarget(bytes);
    return target === DONE ? this.decideFraming() : target;
  }

  private setAuthority(from: number, hostEnd: number, to: number): void {
    this.hostStart = from;
    this.hostEnd = hostEnd;
    this.authorityEnd = to;
  }

  private readTarget(bytes: Uint8Array): Progress {
    const from = this.targetStart;
    const to = this.targetEnd;
    this.absolute = this.asterisk = false;
    if (this.method === CONNECT) {
      const host = authorityHostEnd(bytes, from, to);
      if (host < 0 || to - host < 2) return this.bad(400, "CONNECT needs host:port");
      return this.bad(405, "this is no tunnel: CONNECT is not served");
    }
    this.pathStart = from;
    if (bytes[from] !== SLASH) {
      if (to - from === 1 && bytes[from] === 0x2a && this.method === OPTIONS) {
        this.asterisk = true;
        this.pathEnd = to;
        this.pathKind = PLAIN;
        return DONE;
      }
      const progress = this.readAbsolute(bytes);
      if (progress !== DONE) return progress;
    }
    this.pathEnd = pathEnd(bytes, this.pathStart, to);
    this.pathKind = classifyPath(bytes, this.pathStart, this.pathEnd);
    return this.pathKind === MALFORMED
      ? this.bad(400, "malformed escape or backslash in the path")
      : DONE;
  }

  private readAbsolute(bytes: Uint8Array): Progress {
    const scheme = startsWith(bytes, this.targetStart, this.targetEnd, HTTP_SCHEME)
      ? HTTP_SCHEME.length
      : startsWith(bytes, this.targetStart, this.targetEnd, HTTPS_SCHEME)
      ? HTTPS_SCHEME.length
      : 0;
    if (scheme === 0) return this.bad(400, "request target is in none of the four forms");
    const from = this.targetStart + scheme;
    let to = from;
    while (to < this.targetEnd && bytes[to] !== SLASH && bytes[to] !== 0x3f) to++;
    const hostEnd = authorityHostEnd(bytes, from, to);
    if (hostEnd < 0) return this.bad(400, "bad authority in the request target");
    this.setAuthority(from, hostEnd, to);
    this.absolute = true;
    this.pathStart = to;
    return DONE;
  }

  private decideFraming(): Progress {
    this.framing = this.length > 0 ? BY_LENGTH : NO_BODY;
    if (this.badFraming !== "") return this.bad(400, this.badFraming);
    if (this.codings === 0) return DONE;
    if (this.lengths > 0) return this.bad(400, "Content-Length beside Transfer-Encoding");
    if (this.minor === 0) return this.bad(400, "Transfer-Encoding in HTTP/1.0");
    if (!this.lastIsChunked) return this.bad(400, "the last transfer coding is not chunked");
    if (this.chunkedCodings > 1) return this.bad(400, "chunked more than once");
    if (this.unknownCoding) return this.bad(501, "only the chunked transfer coding is known here");
    this.framing = CHUNKED;
    return DONE;
  }
}

function methodOf(bytes: Uint8Array, from: number, to: number): number {
  search: for (let method = 1; method < METHODS.length; method++) {
    const name = METHODS[method]!;
    if (name.length !== to - from) continue;
    for (let at = 0; at < name.length; at++) if (bytes[from + at] !== name[at]) continue search;
    return method;
  }
  return OTHER_METHOD;
}

function startsWith(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from < word.length) return false;
  for (let at = 0; at < word.length; at++) {
    const byte = bytes[from + at]!;
    if (byte !== word[at] && (byte | 0x20) !== word[at]) return false;
  }
  return true;
}

/** The head of a response. */
export class ResponseHead extends MessageHead {
  code = 0;
  /** Offset of the three digits of the code, and the end of the status line, LF included. */
  codeStart = 0;
  lineEnd = 0;
  /** The replica said when it answered. */
  hasDate = false;
  private digits = 0;

  /** Starts a new message at `start`. */
  restart(start: number): void {
    this.restartMessage(start, VERSION_BYTES);
    this.digits = 0;
    this.code = 0;
  }

  /**
   * Parses on. `toHead`: the request was HEAD, so that no content follows whatever the fields say.
   */
  parse(bytes: Uint8Array, end: number, toHead: boolean): Progress {
    const stop = this.bound(end);
    for (;;) {
      let at = this.at;
      switch (this.phase) {
        case VERSION_BYTES: {
          const progress = this.parseVersion(bytes, stop);
          if (progress !== DONE) return progress;
          at = this.at;
          if (at === stop) return this.wait(at);
          if (bytes[at] !== SPACE) return this.bad(502, "bad status line");
          this.at = this.codeStart = at + 1;
          this.phase = STATUS_CODE;
          continue;
        }
        case STATUS_CODE: {
          while (this.digits < 3) {
            if (at === stop) return this.wait(at);
            if (!isDigit(bytes[at]!)) return this.bad(502, "status is not three digits");
            this.code = this.code * 10 + bytes[at]! - 0x30;
            this.digits++;
            at++;
          }
          if (at === stop) return this.wait(at);
          if (bytes[at] !== SPACE && bytes[at] !== CR) {
            return this.bad(502, "status is not three digits");
          }
          if (this.code < 100 || this.code > 599) return this.bad(502, "status out of range");
          this.at = at;
          this.phase = REASON;
          continue;
        }
        case REASON: {
          while (at < stop) {
            const byte = bytes[at]!;
            if (byte < SPACE ? byte !== TAB : byte === 0x7f) break;
            at++;
          }
          if (at === stop) return this.wait(at);
          if (bytes[at] !== CR) return this.bad(502, "control byte in the status line");
          this.at = at + 1;
          this.phase = LINE_LF;
          continue;
        }
        case LINE_LF:
          if (at === stop) return this.wait(at);
          if (bytes[at] !== LF) return this.bad(502, "bare CR in the status line");
          this.at = this.lineEnd = this.fieldsStart = at + 1;
          this.phase = FIELD_START;
          continue;
        default: {
          const progress = this.parseFields(bytes, stop);
          return progress === DONE ? this.finish(bytes, toHead) : progress;
        }
      }
    }
  }

  /** 1xx, which another response follows. */
  get interim(): boolean {
    return this.code < 200;
  }

  private finish(bytes: Uint8Array, toHead: boolean): Progress {
    this.readMessageFields(bytes);
    this.hasDate = false;
    for (let base = 0, end = this.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
      if (this.fields[base + ID] === DATE) this.hasDate = true;
    }
    if (this.badFraming !== "") return this.bad(502, this.badFraming);
    if (this.codings > 0) {
      if (this.lengths > 0) return this.bad(502, "Content-Length beside Transfer-Encoding");
      if (this.minor === 0) return this.bad(502, "Transfer-Encoding in HTTP/1.0");
      if (this.chunkedCodings !== 1 || !this.lastIsChunked || this.unknownCoding) {
        return this.bad(502, "transfer coding is not chunked");
      }
    }
    if (toHead || this.code < 200 || this.code === 204 || this.code === 304) this.framing = NO_BODY;
    else if (this.codings > 0) this.framing = CHUNKED;
    else if (this.lengths > 0) this.framing = this.length > 0 ? BY_LENGTH : NO_BODY;
    else this.framing = UNTIL_CLOSE;
    return DONE;
  }

  /** Whether the message carried Content-Length. */
  get hasLength(): boolean {
    return this.lengths > 0;
  }
}
