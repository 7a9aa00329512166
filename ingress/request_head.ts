import { METHOD_BYTES } from "../core/limits.ts";
import {
  ascii,
  BAD,
  DONE,
  FIELD_INTS,
  FIELD_START,
  ID,
  isWord,
  type Progress,
  VALUE,
  VALUE_END,
} from "./field_block.ts";
import { EXPECT, HOST, TE, TOKEN, UPGRADE } from "./fields.ts";
import { BY_LENGTH, CHUNKED, eachListItem, MessageHead, NO_BODY } from "./message_head.ts";
import { authorityHostEnd, classifyPath, MALFORMED, pathEnd, PLAIN } from "./target.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const SLASH = 0x2f;

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

const CONTINUE_WORD = ascii("100-continue");
const TRAILERS_WORD = ascii("trailers");
// Protocols that would carry further requests past us, unseen.
const HIDDEN_PROTOCOLS = ["h2", "http", "tls"].map(ascii);
const HTTP_SCHEME = ascii("http://");
const HTTPS_SCHEME = ascii("https://");

// Phases of a request line; those of the field section follow from FIELD_START.
const EMPTY_LINE = 0;
const EMPTY_LF = 1;
const METHOD = 2;
const TARGET = 3;
const VERSION_BYTES = 4;
const LINE_LF = 5;

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
    this.method = OTHER_METHOD;
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
    let upgrades = 0;
    let hides = false;
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
        // RFC 9110 10.1.1: of HTTP/1.0 it is ignored, so that nobody behind us heeds it either.
        if (this.minor >= 1) this.expects = true;
        else ints[base + ID] = -EXPECT;
      } else if (id === TE) {
        eachListItem(bytes, from, to, (start, end) => {
          if (isWord(bytes, start, end, TRAILERS_WORD)) this.wantsTrailers = true;
        });
      } else if (id === UPGRADE) {
        eachListItem(bytes, from, to, (start, end) => {
          if (start < end) upgrades++;
          if (HIDDEN_PROTOCOLS.some((word) => isProtocol(bytes, start, end, word))) hides = true;
        });
      }
    }
    if (hosts > 1) return this.bad(400, "more than one Host");
    if (hosts === 0 && this.minor >= 1) return this.bad(400, "no Host");
    this.upgrade = upgrades > 0 && !hides && this.saysUpgrade && this.minor >= 1;
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
    // RFC 9112 3.2.4: OPTIONS of an authority alone is of the server, as `*` is.
    if (this.method === OPTIONS && to === this.targetEnd) this.asterisk = true;
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

/** Says whether a protocol's name (before `/`) is `word` or begins with it and goes on in digits or `c`. */
function isProtocol(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  let end = from;
  while (end < to && bytes[end] !== SLASH) end++;
  if (end - from > word.length + 1) return false;
  return isWord(bytes, from, from + word.length, word) &&
    (end - from === word.length || (bytes[end - 1]! | 0x20) === 0x63);
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
