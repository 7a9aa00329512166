/**
 * Blocks of bytes that are used again and again, so that a request allocates none. A block given
 * back must not be in use by a read or write that is still under way.
 */
export class Buffers {
  private readonly free: Uint8Array<ArrayBuffer>[] = [];

  constructor(readonly blockBytes: number, private readonly keep: number) {}

  /** A block of at least `bytes`. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    if (bytes > this.blockBytes) return new Uint8Array(bytes);
    return this.free.pop() ?? new Uint8Array(this.blockBytes);
  }

  give(block: Uint8Array<ArrayBuffer>): void {
    if (block.length === this.blockBytes && this.free.length < this.keep) this.free.push(block);
  }
}
