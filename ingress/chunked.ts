import { CHUNK_LINE_BYTES, HEAD_BYTES } from "../core/limits.ts";
import {
  ascii,
  BAD,
  DONE,
  FIELD_INTS,
  FIELD_START,
  FieldBlock,
  ID,
  LINE,
  LINE_END,
  MORE,
  type Progress,
} from "./field_block.ts";
import { DROPPED_IN_TRAILERS, REFUSED_IN_TRAILERS, TOKEN } from "./fields.ts";
import { isHex } from "./target.ts";

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What ends a chunked message without trailers. */
export const LAST_CHUNK = ascii("0\r\n\r\n");
const LAST_SIZE = ascii("0\r\n");
const CRLF = ascii("\r\n");
const NOTHING = new Uint8Array(0);

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILERS = 6;
const ENDED = 7;

// Within a chunk extension: what may come next (RFC 9112 7.1.1).
const EXT_START = 0; // `;` or CR
const EXT_NAME = 1;
const EXT_AFTER_NAME = 2;
const EXT_VALUE = 3;
const EXT_TOKEN = 4;
const EXT_QUOTED = 5;
const EXT_ESCAPE = 6;
const EXT_SPACE_AFTER_NAME = 7;

class Trailers extends FieldBlock {
  restart(): void {
    this.restartFields(0, FIELD_START);
  }
  parse(bytes: Uint8Array, end: number): Progress {
    return this.parseFields(bytes, this.bound(end));
  }
}

/**
 * The chunked transfer coding (RFC 9112 7.1), checked strictly and made canonical in place: after
 * `feed` the bytes `[from, this.outEnd)` of the same buffer are what may be passed on, framed again
 * without extensions and leading zeros, or bare where `bare` is set. The end of the message, with
 * the trailers that may be passed on, is not among them but in `tail`.
 */
export class ChunkedBody {
  /** Where the input was consumed up to. */
  at = 0;
  /** End of the bytes to pass on. */
  outEnd = 0;
  /** Bytes that go before those of the buffer: a size line that came in two pieces. */
  readonly lead = new Uint8Array(20);
  leadLength = 0;
  /** After `DONE`: `0`, trailers, empty line; nothing where `bare`. */
  tail: Uint8Array = LAST_CHUNK;
  /** After `DONE`, also where `bare`: the same with the trailers. */
  trailerTail: Uint8Array = LAST_CHUNK;
  /** Why it is bad. */
  reason = "";
  /** Bytes of content so far. */
  contentBytes = 0;

  private phase = SIZE;
  private bare = false;
  private size = 0;
  private digits = 0;
  private lineBytes = 0;
  private extension = EXT_START;
  private left = 0;
  private trailers: Trailers | null = null;
  private held: Uint8Array | null = null;
  private heldEnd = 0;

  /** Starts a new body. */
  restart(bare: boolean): void {
    this.bare = bare;
    this.phase = SIZE;
    this.size =
      this.digits =
      this.lineBytes =
      this.left =
      this.contentBytes =
        0;
    this.tail = bare ? NOTHING : LAST_CHUNK;
    this.trailerTail = LAST_CHUNK;
    this.reason = "";
    this.held = null;
    this.heldEnd = 0;
  }

  /** Only the trailer section is missing: all content is here. */
  get inTrailers(): boolean {
    return this.phase === TRAILERS;
  }

  /** Takes `bytes[from, end)`. */
  feed(bytes: Uint8Array, from: number, end: number): Progress {
    let at = from;
    let out = from;
    // A size line that began in an earlier piece has no room in this one.
    let straddles = this.lineBytes > 0 && this.phase <= SIZE_LF;
    this.leadLength = 0;
    for (;;) {
      if (this.phase === ENDED) return this.said(DONE, at, out);
      if (at === end) return this.said(MORE, at, out);
      switch (this.phase) {
        case SIZE: {
          const byte = bytes[at]!;
          if (isHex(byte)) {
            if (++this.digits > 16 || ++this.lineBytes > CHUNK_LINE_BYTES) {
              return this.bad("chunk size too long");
            }
            this.size = this.size * 16 + hexValue(byte);
            if (this.size > Number.MAX_SAFE_INTEGER) return this.bad("chunk size too large");
            at++;
            continue;
          }
          if (this.digits === 0) return this.bad("chunk size is not a number");
          this.extension = EXT_START;
          this.trailingSpace = false;
          this.phase = EXTENSION;
          continue;
        }
        case EXTENSION: {
          if (++this.lineBytes > CHUNK_LINE_BYTES) return this.bad("chunk line too long");
          const byte = bytes[at]!;
          at++;
          if (byte === CR && this.extensionMayEnd()) this.phase = SIZE_LF;
          else if (!this.extensionTakes(byte)) return this.bad("bad byte after a chunk size");
          continue;
        }
        case SIZE_LF:
          if (bytes[at] !== LF) return this.bad("bare CR in a chunk line");
          at++;
          if (this.size === 0) {
            this.phase = TRAILERS;
            continue;
          }
          if (this.bare) {
            // Nothing frames bare content.
          } else if (straddles) {
            this.leadLength = writeSize(this.lead, 0, this.size);
            straddles = false;
          } else out = writeSize(bytes, out, this.size);
          this.left = this.size;
          this.phase = DATA;
          continue;
        case DATA: {
          const take = Math.min(this.left, end - at);
          if (out !== at) bytes.copyWithin(out, at, at + take);
          at += take;
          out += take;
          this.contentBytes += take;
          this.left -= take;
          if (this.left === 0) this.phase = DATA_CR;
          continue;
        }
        case DATA_CR:
          if (bytes[at] !== CR) return this.bad("chunk data is longer than its size");
          at++;
          if (!this.bare) bytes[out++] = CR;
          this.phase = DATA_LF;
          continue;
        case DATA_LF:
          if (bytes[at] !== LF) return this.bad("bare CR after chunk data");
          at++;
          if (!this.bare) bytes[out++] = LF;
          this.size = this.digits = this.lineBytes = 0;
          this.phase = SIZE;
          continue;
        case TRAILERS: {
          // The usual end, whole and without trailers, costs nothing.
          if (this.held === null && end - at >= 2 && bytes[at] === CR && bytes[at + 1] === LF) {
            at += 2;
            this.phase = ENDED;
            continue;
          }
          const taken = this.takeTrailers(bytes, at, end);
          if (taken < 0) return BAD;
          at = taken;
          continue;
        }
        default:
          throw new Error("bug: no such phase of a chunked body");
      }
    }
  }

  private said(progress: Progress, at: number, out: number): Progress {
    this.at = at;
    this.outEnd = out;
    return progress;
  }

  private bad(reason: string): Progress {
    this.reason = reason;
    return BAD;
  }

  private extensionMayEnd(): boolean {
    const state = this.extension;
    return state === EXT_TOKEN || state === EXT_AFTER_NAME ||
      (state === EXT_START && this.trailingSpace === false);
  }

  // Space is allowed around `;` and `=` (BWS), but a line may not end in it.
  private trailingSpace = false;

  private extensionTakes(byte: number): boolean {
    const space = byte === SPACE || byte === TAB;
    const token = TOKEN[byte] !== 0;
    switch (this.extension) {
      case EXT_START: // after the size, or after a quoted value
        this.trailingSpace = space;
        if (byte === SEMICOLON) this.extension = EXT_NAME;
        return space || byte === SEMICOLON;
      case EXT_NAME:
        if (token) this.extension = EXT_AFTER_NAME;
        return space || token;
      case EXT_AFTER_NAME:
        if (token) return true;
        // falls through
      case EXT_SPACE_AFTER_NAME:
        if (space) this.extension = EXT_SPACE_AFTER_NAME;
        else if (byte === EQUALS) this.extension = EXT_VALUE;
        else if (byte === SEMICOLON) this.extension = EXT_NAME;
        return space || byte === EQUALS || byte === SEMICOLON;
      case EXT_VALUE:
        if (byte === QUOTE) this.extension = EXT_QUOTED;
        else if (token) this.extension = EXT_TOKEN;
        return space || token || byte === QUOTE;
      case EXT_TOKEN:
        if (token) return true;
        this.extension = byte === SEMICOLON ? EXT_NAME : EXT_START;
        this.trailingSpace = space;
        return space || byte === SEMICOLON;
      case EXT_QUOTED:
        if (byte === QUOTE) {
          this.extension = EXT_START;
          this.trailingSpace = false;
        } else if (byte === BACKSLASH) this.extension = EXT_ESCAPE;
        return isQuotable(byte);
      case EXT_ESCAPE:
        this.extension = EXT_QUOTED;
        return isQuotable(byte);
      default:
        throw new Error("bug: no such state of a chunk extension");
    }
  }

  private takeTrailers(bytes: Uint8Array, from: number, end: number): number {
    if (this.held === null) {
      this.held = new Uint8Array(Math.min(HEAD_BYTES, Math.max(512, end - from)));
      this.heldEnd = 0;
      this.trailers ??= new Trailers();
      this.trailers.restart();
    }
    const before = this.heldEnd;
    const take = Math.min(end - from, HEAD_BYTES - before);
    if (before + take > this.held.length) {
      const larger = new Uint8Array(Math.min(HEAD_BYTES, (before + take) * 2));
      larger.set(this.held.subarray(0, before));
      this.held = larger;
    }
    this.held.set(bytes.subarray(from, from + take), before);
    this.heldEnd += take;
    const trailers = this.trailers!;
    const progress = trailers.parse(this.held, this.heldEnd);
    if (progress === BAD) {
      this.reason = `trailers: ${trailers.reason}`;
      return -1;
    }
    if (progress === MORE) return from + take;
    if (!this.writeTail(trailers, this.held)) return -1;
    this.phase = ENDED;
    return from + (trailers.at - before);
  }

  private writeTail(trailers: Trailers, bytes: Uint8Array): boolean {
    const kept: Uint8Array[] = [LAST_SIZE];
    let length = LAST_SIZE.length + CRLF.length;
    for (let field = 0; field < trailers.fieldCount; field++) {
      const base = field * FIELD_INTS;
      const id = trailers.fields[base + ID]!;
      if (REFUSED_IN_TRAILERS.has(Math.abs(id))) {
        this.reason = "a field stands in the trailers that may not";
        return false;
      }
      if (DROPPED_IN_TRAILERS.has(Math.abs(id))) continue;
      const line = bytes.subarray(trailers.fields[base + LINE]!, trailers.fields[base + LINE_END]!);
      kept.push(line);
      length += line.length;
    }
    if (kept.length === 1) return true;
    kept.push(CRLF);
    const tail = new Uint8Array(length);
    let at = 0;
    for (const part of kept) {
      tail.set(part, at);
      at += part.length;
    }
    this.trailerTail = tail;
    if (!this.bare) this.tail = tail;
    return true;
  }
}

function isQuotable(byte: number): boolean {
  return byte >= SPACE ? byte !== 0x7f : byte === TAB;
}

function hexValue(byte: number): number {
  return byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
}

/** Writes `size` in hexadecimal and CRLF; returns the offset behind it. */
export function writeSize(bytes: Uint8Array, at: number, size: number): number {
  let digits = 1;
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 16)) digits++;
  let rest = size;
  for (let place = at + digits - 1; place >= at; place--) {
    const digit = rest % 16;
    bytes[place] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest = (rest - digit) / 16;
  }
  bytes[at + digits] = CR;
  bytes[at + digits + 1] = LF;
  return at + digits + 2;
}
