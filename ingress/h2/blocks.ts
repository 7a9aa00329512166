import { HEAD_BYTES, HTTP2_BLOCK_BYTES } from "../../core/limits.ts";
import { Decoder, type Field } from "./hpack.ts";

/** Frames of one field block. */
const BLOCK_FRAMES = 64;

/** A field block that comes in pieces. */
export interface Block {
  readonly stream: number;
  readonly endStream: boolean;
  /** The stream depends on itself. */
  readonly selfish: boolean;
}

/** Gathers field blocks from HEADERS and the CONTINUATIONs behind it, and decodes them in order. */
export class Blocks {
  /** The one that is unfinished. */
  current: Block | null = null;
  /** When it began; -1 while there is none. */
  sinceMs = -1;
  private readonly decoder = new Decoder();
  private parts: Uint8Array[] = [];
  private bytes = 0;

  begin(block: Block, nowMs: number): void {
    this.current = block;
    this.sinceMs = nowMs;
    this.parts = [];
    this.bytes = 0;
  }

  /** Adds a piece; false if there are too many. A piece that is not the last is copied. */
  add(part: Uint8Array, last: boolean): boolean {
    this.bytes += part.length;
    this.parts.push(last ? part : part.slice());
    return this.bytes <= HTTP2_BLOCK_BYTES && this.parts.length <= BLOCK_FRAMES;
  }

  /** The block is whole: its fields and their size, a `CompressionError` where it has none. */
  finish(): { readonly fields: Field[]; readonly size: number } {
    this.current = null;
    this.sinceMs = -1;
    return this.decoder.decode(joined(this.parts), HEAD_BYTES);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
