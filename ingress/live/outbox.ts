import type { Connection } from "./connection.ts";
import type { Proxy } from "./proxy.ts";

/** Who writes through an `Outbox`. */
export interface OutboxOwner {
  /** All that was flushed has been written. */
  outboxDrained(): void;
  /** The connection does not take it. */
  outboxBroke(): void;
}

/**
 * What goes to a client: gathered in one block while another is being written, so that head,
 * content and end of a response leave in one write, and a slow client holds at most two blocks.
 */
export class Outbox {
  /** Where to write next in the block that `room` gave. */
  end = 0;
  /** Bytes flushed for the current response. */
  total = 0;
  /** When the client must have taken something, monotonic ms. */
  writeByMs = Infinity;

  private block: Uint8Array<ArrayBuffer> | null = null;
  private sending: Uint8Array<ArrayBuffer> | null = null;
  private sendAt = 0;
  private sendEnd = 0;
  private closed = false;

  constructor(
    private readonly connection: Connection,
    private readonly proxy: Proxy,
    private readonly owner: OutboxOwner,
  ) {}

  /** A write is under way. */
  get busy(): boolean {
    return this.sending !== null;
  }

  /** A block with room for `bytes` more behind `end`. */
  room(bytes: number): Uint8Array {
    const { buffers } = this.proxy;
    if (this.block === null) {
      this.block = buffers.take(bytes);
      this.end = 0;
    } else if (this.block.length - this.end < bytes) {
      const larger = buffers.take(this.end + bytes + 4096);
      larger.set(this.block.subarray(0, this.end));
      buffers.give(this.block);
      this.block = larger;
    }
    return this.block;
  }

  /** Adds bytes. */
  add(bytes: Uint8Array): void {
    this.room(bytes.length).set(bytes, this.end);
    this.end += bytes.length;
  }

  /** Takes out what is gathered instead of writing it. */
  takeOut(): Uint8Array {
    const bytes = this.block!.slice(0, this.end);
    this.block = null;
    this.end = 0;
    return bytes;
  }

  /** Writes what is gathered. Not while `busy`. */
  flush(): void {
    this.sending = this.block;
    this.sendAt = 0;
    this.sendEnd = this.end;
    this.block = null;
    this.end = 0;
    this.total += this.sendEnd;
    this.writeByMs = this.proxy.nowMs + this.proxy.timeouts.bodyMs;
    this.write();
  }

  private write(): void {
    this.connection.write(this.sending!.subarray(this.sendAt, this.sendEnd))
      .then(this.onWritten, this.onWriteError);
  }

  private readonly onWritten = (count: number) => {
    if (this.closed) return;
    this.sendAt += count;
    if (this.sendAt < this.sendEnd) {
      this.writeByMs = this.proxy.now() + this.proxy.timeouts.bodyMs;
      return this.write();
    }
    this.proxy.buffers.give(this.sending!);
    this.sending = null;
    this.writeByMs = Infinity;
    if (this.end > 0) this.flush();
    this.owner.outboxDrained();
  };

  private readonly onWriteError = () => {
    this.sending = null;
    if (!this.closed) this.owner.outboxBroke();
  };

  /** Nothing is written or told any more. */
  close(): void {
    this.closed = true;
  }
}
