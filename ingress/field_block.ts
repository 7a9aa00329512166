import { fieldHash, FOLDED, HASH_START, identify, TOKEN } from "./fields.ts";
import { HEAD_BYTES, HEAD_FIELDS } from "../core/limits.ts";

/** What a parser says after each call. */
export const MORE = 0;
export const DONE = 1;
export const BAD = 2;
export type Progress = typeof MORE | typeof DONE | typeof BAD;

/** Integers kept for one field: id, start of its line, end of its name, its value, end of line. */
export const FIELD_INTS = 6;
export const ID = 0;
export const LINE = 1;
export const NAME_END = 2;
export const VALUE = 3;
export const VALUE_END = 4;
export const LINE_END = 5;

// The phases of a field section; a head parser's own phases come before.
export const FIELD_START = 10;
const NAME = 11;
const LEADING_SPACE = 12;
const VALUE_BYTES = 13;
const VALUE_LF = 14;
const END_LF = 15;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const DELETE = 0x7f;

/**
 * A field section (RFC 9112 5), parsed byte by byte: it may arrive in any pieces and the result is
 * the same. Offsets are into the buffer that is being parsed; a caller that moves the bytes calls
 * `restart` and parses again.
 *
 * Refused: an empty or non-token name, space before the colon, obs-fold, bare CR, bare LF, NUL and
 * the other control bytes in a value.
 */
export abstract class FieldBlock {
  /** Where the message starts in the buffer. */
  start = 0;
  /** Where parsing goes on; after `DONE` the first byte behind the section. */
  at = 0;
  /** Why the message is bad, for people. */
  reason = "";
  /** The status that answers a bad request. */
  status = 0;
  fieldCount = 0;
  /** `FIELD_INTS` integers a field. */
  fields = new Int32Array(16 * FIELD_INTS);
  /** Where the field section starts. */
  fieldsStart = 0;

  protected phase = 0;
  private hash = 0;
  private underscore = false;

  protected restartFields(start: number, phase: number): void {
    this.start = start;
    this.at = start;
    this.phase = phase;
    this.fieldCount = 0;
    this.status = 0;
    this.reason = "";
  }

  protected bad(status: number, reason: string): Progress {
    this.status = status;
    this.reason = reason;
    return BAD;
  }

  /** The last byte that may be looked at: a section ends within `HEAD_BYTES`. */
  protected bound(end: number): number {
    return Math.min(end, this.start + HEAD_BYTES);
  }

  /** Says `MORE`, unless the bound is reached. */
  protected wait(at: number): Progress {
    this.at = at;
    if (at - this.start >= HEAD_BYTES) return this.bad(431, "head too large");
    return MORE;
  }

  /** Parses fields from `this.at` to the empty line. */
  protected parseFields(bytes: Uint8Array, stop: number): Progress {
    let at = this.at;
    let ints = this.fields;
    let base = this.fieldCount * FIELD_INTS;
    for (;;) {
      switch (this.phase) {
        case FIELD_START: {
          if (at === stop) return this.wait(at);
          const byte = bytes[at]!;
          if (byte === CR) {
            at++;
            this.phase = END_LF;
            continue;
          }
          if (byte === SPACE || byte === TAB) {
            return this.bad(400, "folded field line, or space before the first field");
          }
          if (this.fieldCount === HEAD_FIELDS) return this.bad(431, "too many fields");
          if (base === ints.length) ints = this.grow();
          ints[base + LINE] = at;
          this.hash = HASH_START;
          this.underscore = false;
          this.phase = NAME;
          continue;
        }
        case NAME: {
          let hash = this.hash;
          let folded = 0;
          while (at < stop && (folded = FOLDED[bytes[at]!]!) !== 0) {
            hash = fieldHash(hash, folded);
            if (folded === 0x2d && bytes[at] === 0x5f) this.underscore = true;
            at++;
          }
          this.hash = hash;
          if (at === stop) return this.wait(at);
          if (bytes[at] !== COLON) return this.badName(bytes[at]!);
          const line = ints[base + LINE]!;
          if (at === line) return this.bad(400, "empty field name");
          ints[base + NAME_END] = at;
          const id = identify(bytes, line, at, hash);
          // A known name in disguise (`Transfer_Encoding`) gets a negative id: it is never passed on.
          ints[base + ID] = this.underscore ? -id : id;
          at++;
          this.phase = LEADING_SPACE;
          continue;
        }
        case LEADING_SPACE: {
          while (at < stop && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
          if (at === stop) return this.wait(at);
          ints[base + VALUE] = at;
          this.phase = VALUE_BYTES;
          continue;
        }
        case VALUE_BYTES: {
          while (at < stop) {
            const byte = bytes[at]!;
            if (byte < SPACE ? byte !== TAB : byte === DELETE) break;
            at++;
          }
          if (at === stop) return this.wait(at);
          if (bytes[at] !== CR) return this.badValue(bytes[at]!);
          at++;
          this.phase = VALUE_LF;
          continue;
        }
        case VALUE_LF: {
          if (at === stop) return this.wait(at);
          if (bytes[at] !== LF) return this.bad(400, "bare CR in a field value");
          let end = at - 1;
          const value = ints[base + VALUE]!;
          while (end > value && (bytes[end - 1] === SPACE || bytes[end - 1] === TAB)) end--;
          ints[base + VALUE_END] = end;
          at++;
          ints[base + LINE_END] = at;
          base += FIELD_INTS;
          this.fieldCount++;
          this.phase = FIELD_START;
          continue;
        }
        case END_LF: {
          if (at === stop) return this.wait(at);
          if (bytes[at] !== LF) return this.bad(400, "bare CR");
          this.at = at + 1;
          return DONE;
        }
        default:
          throw new Error(`bug: phase ${this.phase} is not one of a field section`);
      }
    }
  }

  private badName(byte: number): Progress {
    if (byte === SPACE || byte === TAB) return this.bad(400, "space in or after a field name");
    if (byte === CR || byte === LF) return this.bad(400, "field line without a colon");
    return this.bad(400, "field name is not a token");
  }

  private badValue(byte: number): Progress {
    if (byte === LF) return this.bad(400, "bare LF in a field section");
    return this.bad(400, byte === 0 ? "NUL in a field value" : "control byte in a field value");
  }

  private grow(): Int32Array<ArrayBuffer> {
    const larger = new Int32Array(this.fields.length * 2);
    larger.set(this.fields);
    this.fields = larger;
    return larger;
  }
}

/** Says whether `bytes[from, to)` is `word` (lower case), in any case. */
export function isWord(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from !== word.length) return false;
  for (let at = 0; at < word.length; at++) {
    if (TOKEN[bytes[from + at]!] !== word[at]) return false;
  }
  return true;
}

/** Bytes of an ASCII text. */
export function ascii(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at) & 0xff;
  return bytes;
}

/** Text of bytes read as Latin-1. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}
