import { writeSize } from "../chunked.ts";

/** What has come on a stream of HTTP/2, as the bytes of HTTP/1.1 that stand for it. */
export class Incoming {
  /** Content is put into chunks. */
  framed = false;
  broken = false;

  private pending: Uint8Array[] = [];
  private at = 0;
  /** Bytes of content among what is pending. */
  private unread = 0;
  private ended = false;
  private error: Error | null = null;
  private waiting: {
    readonly into: Uint8Array;
    resolve(count: number | null): void;
    reject(error: Error): void;
  } | null = null;
  private endIsEnd = false;

  /** @param consumed is told how many bytes of content were read */
  constructor(private readonly consumed: (bytes: number) => void) {}

  /** Adds bytes that are not content. */
  add(bytes: Uint8Array): void {
    this.pending.push(bytes);
    this.wake(this.endIsEnd);
  }

  /** Adds a copy of content. */
  content(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.unread += bytes.length;
    if (!this.framed) return this.add(bytes.slice());
    const framed = new Uint8Array(bytes.length + 20);
    const at = writeSize(framed, 0, bytes.length);
    framed.set(bytes, at);
    framed[at + bytes.length] = 0x0d;
    framed[at + bytes.length + 1] = 0x0a;
    this.add(framed.subarray(0, at + bytes.length + 2));
  }

  /** All content is here; `tail` is what ends its chunks. */
  end(tail: Uint8Array | null): void {
    if (this.ended) return;
    this.ended = true;
    if (tail !== null) this.add(tail);
    else this.wake(this.endIsEnd);
  }

  /** @param endIsEnd whether the end of the content is the end of what can be read */
  read(into: Uint8Array, endIsEnd: boolean): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.waiting = { into, resolve, reject };
      this.wake(endIsEnd);
    });
  }

  /** Gives what is here to whoever waits for it. */
  wake(endIsEnd: boolean): void {
    this.endIsEnd = endIsEnd;
    const { waiting } = this;
    if (waiting === null) return;
    const count = this.fill(waiting.into);
    if (count > 0) {
      this.waiting = null;
      if (this.pending.length === 0 && this.unread > 0) {
        const { unread } = this;
        this.unread = 0;
        this.consumed(unread);
      }
      return waiting.resolve(count);
    }
    if (this.error !== null) {
      this.waiting = null;
      waiting.reject(this.error);
    } else if (endIsEnd) {
      this.waiting = null;
      waiting.resolve(null);
    }
  }

  private fill(into: Uint8Array): number {
    let count = 0;
    while (this.pending.length > 0 && count < into.length) {
      const first = this.pending[0]!;
      const take = Math.min(first.length - this.at, into.length - count);
      into.set(first.subarray(this.at, this.at + take), count);
      count += take;
      this.at += take;
      if (this.at < first.length) break;
      this.pending.shift();
      this.at = 0;
    }
    return count;
  }

  /** Nothing more will come. */
  fail(error: Error): void {
    this.broken = true;
    this.error ??= error;
    this.wake(this.endIsEnd);
  }
}
