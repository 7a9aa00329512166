// HPACK (RFC 7541): header lists as HTTP/2 carries them.

import { latin1 } from "../field_block.ts";
import { decodeHuffman } from "./huffman.ts";

/** One field: lower-case name and value, both as Latin-1. */
export type Field = readonly [name: string, value: string];

/** Appendix A. */
const STATIC: readonly Field[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** What each entry of a table counts beside its bytes (4.1). */
const ENTRY_BYTES = 32;
/** Size of the dynamic table that we allow a peer: the default, which needs no saying. */
export const TABLE_BYTES = 4_096;

/** The block cannot be decoded: the connection's state is lost (RFC 9113 4.3). */
export class CompressionError extends Error {
  override readonly name = "CompressionError";
}

/** Decodes the field blocks of one direction of a connection, in their order. */
export class Decoder {
  /** Oldest first, from `first` on. */
  private entries: Field[] = [];
  private first = 0;
  private bytes = 0;
  private maxBytes = TABLE_BYTES;
  private at = 0;

  /**
   * Decodes a whole block.
   *
   * @param maxBytes fields beyond this size (as RFC 9113 6.5.2 counts) are decoded and left out
   * @returns the fields, and their size all together
   * @throws {CompressionError}
   */
  decode(block: Uint8Array, maxBytes: number): { fields: Field[]; size: number } {
    const fields: Field[] = [];
    let size = 0;
    this.at = 0;
    while (this.at < block.length) {
      const first = block[this.at]!;
      if ((first & 0xe0) === 0x20) {
        // Only before the first field (4.2).
        if (size > 0) throw new CompressionError("table size update after a field");
        this.resize(this.integer(block, 5));
        continue;
      }
      const field = this.field(block, first);
      size += field[0].length + field[1].length + ENTRY_BYTES;
      if (size <= maxBytes) fields.push(field);
    }
    return { fields, size };
  }

  private field(block: Uint8Array, first: number): Field {
    if ((first & 0x80) !== 0) return this.entry(this.integer(block, 7));
    const indexed = (first & 0x40) !== 0;
    const index = this.integer(block, indexed ? 6 : 4);
    const name = index === 0 ? this.text(block) : this.entry(index)[0];
    const field: Field = [name, this.text(block)];
    if (indexed) this.add(field);
    return field;
  }

  private entry(index: number): Field {
    if (index >= 1 && index <= STATIC.length) return STATIC[index - 1]!;
    const at = this.entries.length - (index - STATIC.length);
    if (index === 0 || at < this.first) throw new CompressionError("no such index");
    return this.entries[at]!;
  }

  private integer(block: Uint8Array, bits: number): number {
    const full = (1 << bits) - 1;
    let value = block[this.at++]! & full;
    if (value < full) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.at >= block.length) throw new CompressionError("cut short");
      const byte = block[this.at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw new CompressionError("integer too large");
  }

  private text(block: Uint8Array): string {
    if (this.at >= block.length) throw new CompressionError("cut short");
    const coded = (block[this.at]! & 0x80) !== 0;
    const length = this.integer(block, 7);
    const from = this.at;
    const to = from + length;
    if (to > block.length) throw new CompressionError("cut short");
    this.at = to;
    if (!coded) return latin1(block, from, to);
    const text = decodeHuffman(block, from, to);
    if (text === null) throw new CompressionError("bad Huffman code");
    return text;
  }

  private resize(maxBytes: number): void {
    if (maxBytes > TABLE_BYTES) throw new CompressionError("table size above what was allowed");
    this.maxBytes = maxBytes;
    this.evict(0);
  }

  private add(field: Field): void {
    const size = field[0].length + field[1].length + ENTRY_BYTES;
    this.evict(size);
    if (size > this.maxBytes) return;
    this.entries.push(field);
    this.bytes += size;
  }

  private evict(room: number): void {
    while (this.bytes + room > this.maxBytes && this.first < this.entries.length) {
      const [name, value] = this.entries[this.first++]!;
      this.bytes -= name.length + value.length + ENTRY_BYTES;
    }
    if (this.first > 64 && this.first * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.first);
      this.first = 0;
    }
  }
}

const byField = new Map(STATIC.map(([name, value], at) => [`${name}\n${value}`, at + 1]));
const byName = new Map([...STATIC.entries()].reverse().map(([at, [name]]) => [name, at + 1]));
/** Never to be kept by anybody on the way (7.1.3). */
const SECRET = new Set(["authorization", "cookie", "set-cookie", "proxy-authorization"]);

/**
 * Encodes a field block by the static table alone: it needs no state, and no setting of the peer's
 * can make it wrong.
 */
export function encodeFields(fields: Iterable<Field>): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  for (const [name, value] of fields) {
    const known = byField.get(`${name}\n${value}`);
    if (known !== undefined) {
      putInteger(out, 0x80, 7, known);
      continue;
    }
    const index = byName.get(name) ?? 0;
    putInteger(out, SECRET.has(name) ? 0x10 : 0x00, 4, index);
    if (index === 0) putText(out, name);
    putText(out, value);
  }
  return Uint8Array.from(out);
}

function putInteger(out: number[], flags: number, bits: number, value: number): void {
  const full = (1 << bits) - 1;
  if (value < full) {
    out.push(flags | value);
    return;
  }
  out.push(flags | full);
  let rest = value - full;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
  out.push(rest);
}

function putText(out: number[], text: string): void {
  putInteger(out, 0x00, 7, text.length);
  for (let at = 0; at < text.length; at++) out.push(text.charCodeAt(at) & 0xff);
}
