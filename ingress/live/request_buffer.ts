import { ChunkedBody } from "../chunked.ts";
import { BAD, DONE, type Progress } from "../field_block.ts";
import type { Buffers } from "./buffers.ts";

const NOTHING: Uint8Array = new Uint8Array(0);

/** A request as it goes to a replica: its head, and as much of its body as has been taken in. */
export class RequestBuffer {
  /** Where the next byte goes. */
  end = 0;
  /** Bytes of a body by length that are still to come. */
  left = 0;
  private decoder: ChunkedBody | null = null;
  private block: Uint8Array<ArrayBuffer> | null = null;

  constructor(private readonly buffers: Buffers, private readonly maxBodyBytes: number) {}

  /** What takes a chunked body apart; most connections never need it. */
  get chunked(): ChunkedBody {
    return this.decoder ??= new ChunkedBody();
  }

  /** Begins anew with room for `bytes`; returns the block to write the head into. */
  begin(bytes: number): Uint8Array<ArrayBuffer> {
    this.end = 0;
    return this.block = this.buffers.take(bytes);
  }

  /** Takes the block away; it is the caller's from now on. */
  release(): Uint8Array<ArrayBuffer> {
    const block = this.block!;
    this.block = null;
    return block;
  }

  /** Free bytes behind `end`. */
  get room(): number {
    return this.block!.length - this.end;
  }

  /** Takes in what is here of a body by length, as far as there is room; returns where it ends. */
  take(bytes: Uint8Array, from: number, to: number): number {
    const count = Math.min(this.left, to - from, this.room);
    this.block!.set(bytes.subarray(from, from + count), this.end);
    this.end += count;
    this.left -= count;
    return from + count;
  }

  /** Takes in what is here of a chunked body, made canonical; `chunked.at` tells where it ends. */
  feed(bytes: Uint8Array, from: number, to: number): Progress | "too-long" {
    const { chunked } = this;
    const progress = chunked.feed(bytes, from, to);
    if (progress === BAD) return BAD;
    if (chunked.contentBytes > this.maxBodyBytes) return "too-long";
    const tail = progress === DONE ? chunked.tail : NOTHING;
    this.grow(chunked.leadLength + chunked.outEnd - from + tail.length);
    const block = this.block!;
    block.set(chunked.lead.subarray(0, chunked.leadLength), this.end);
    this.end += chunked.leadLength;
    block.set(bytes.subarray(from, chunked.outEnd), this.end);
    this.end += chunked.outEnd - from;
    block.set(tail, this.end);
    this.end += tail.length;
    return progress;
  }

  private grow(bytes: number): void {
    if (this.room >= bytes) return;
    const larger = this.buffers.take(this.end + bytes);
    larger.set(this.block!.subarray(0, this.end));
    this.block = larger;
  }
}
