// Frames of HTTP/2 (RFC 9113, 4 and 6): their numbers, and writing them.

export const DATA = 0x0;
export const HEADERS = 0x1;
export const PRIORITY = 0x2;
export const RST_STREAM = 0x3;
export const SETTINGS = 0x4;
export const PUSH_PROMISE = 0x5;
export const PING = 0x6;
export const GOAWAY = 0x7;
export const WINDOW_UPDATE = 0x8;
export const CONTINUATION = 0x9;

export const ACK = 0x1;
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const HAS_PRIORITY = 0x20;

// Error codes (7).
export const NO_ERROR = 0x0;
export const PROTOCOL_ERROR = 0x1;
export const INTERNAL_ERROR = 0x2;
export const FLOW_CONTROL_ERROR = 0x3;
export const STREAM_CLOSED = 0x5;
export const FRAME_SIZE_ERROR = 0x6;
export const REFUSED_STREAM = 0x7;
export const CANCEL = 0x8;
export const COMPRESSION_ERROR = 0x9;
export const ENHANCE_YOUR_CALM = 0xb;

// Settings (6.5.2).
export const HEADER_TABLE_SIZE = 0x1;
export const ENABLE_PUSH = 0x2;
export const MAX_CONCURRENT_STREAMS = 0x3;
export const INITIAL_WINDOW_SIZE = 0x4;
export const MAX_FRAME_SIZE = 0x5;
export const MAX_HEADER_LIST_SIZE = 0x6;

export const FRAME_HEAD_BYTES = 9;
/** The least that everybody takes, and the most that we do. */
export const FRAME_BYTES = 16_384;
export const WINDOW_MAX = 2 ** 31 - 1;
/** Windows before anything is said about them. */
export const WINDOW_DEFAULT = 65_535;

/** What a client says first, before its SETTINGS. */
export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** Bytes on their way out. */
export class FrameWriter {
  private bytes = new Uint8Array(1_024);
  private end = 0;

  /** How many bytes wait to be taken. */
  get length(): number {
    return this.end;
  }

  /** Takes out everything that was written; `null` if that is nothing. */
  take(): Uint8Array<ArrayBuffer> | null {
    if (this.end === 0) return null;
    const taken = this.bytes.subarray(0, this.end);
    this.bytes = new Uint8Array(1_024);
    this.end = 0;
    return taken;
  }

  raw(payload: Uint8Array): void {
    this.room(payload.length);
    this.bytes.set(payload, this.end);
    this.end += payload.length;
  }

  head(length: number, type: number, flags: number, stream: number): void {
    this.room(FRAME_HEAD_BYTES + length);
    const { bytes } = this;
    let at = this.end;
    bytes[at++] = length >>> 16;
    bytes[at++] = length >>> 8;
    bytes[at++] = length;
    bytes[at++] = type;
    bytes[at++] = flags;
    this.end = at;
    this.word(stream);
  }

  frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    this.head(payload.length, type, flags, stream);
    this.raw(payload);
  }

  /** A field block, in as many frames as it needs. */
  fields(stream: number, block: Uint8Array, endStream: boolean, frameBytes: number): void {
    let from = 0;
    do {
      const to = Math.min(block.length, from + frameBytes);
      const flags = (to === block.length ? END_HEADERS : 0) |
        (from === 0 && endStream ? END_STREAM : 0);
      this.frame(from === 0 ? HEADERS : CONTINUATION, flags, stream, block.subarray(from, to));
      from = to;
    } while (from < block.length);
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    this.head(6 * pairs.length, SETTINGS, 0, 0);
    for (const [id, value] of pairs) {
      this.room(6);
      this.bytes[this.end++] = id >>> 8;
      this.bytes[this.end++] = id;
      this.word(value);
    }
  }

  reset(stream: number, code: number): void {
    this.head(4, RST_STREAM, 0, stream);
    this.word(code);
  }

  windowUpdate(stream: number, increment: number): void {
    this.head(4, WINDOW_UPDATE, 0, stream);
    this.word(increment);
  }

  goAway(lastStream: number, code: number): void {
    this.head(8, GOAWAY, 0, 0);
    this.word(lastStream);
    this.word(code);
  }

  private word(value: number): void {
    this.room(4);
    const { bytes } = this;
    bytes[this.end++] = value >>> 24;
    bytes[this.end++] = value >>> 16;
    bytes[this.end++] = value >>> 8;
    bytes[this.end++] = value;
  }

  private room(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.end + more));
    larger.set(this.bytes.subarray(0, this.end));
    this.bytes = larger;
  }
}

/** The 32 bits at a place, as a signed number. */
export function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}
