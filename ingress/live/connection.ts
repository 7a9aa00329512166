import type { Duplex } from "node:stream";

/** A byte stream to a peer. `Deno.Conn` is one. */
export interface Connection {
  /** Resolves to how many bytes came, `null` at the end; rejects when the connection broke. */
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  /** Ends our side. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** Closes a connection that may be closed already. */
export function closeQuietly(connection: Connection): void {
  try {
    connection.close();
  } catch {
    // It was closed by the other side's doing.
  }
}

/** A socket of node:tls as a `Connection`. One read and one write at a time. */
export class NodeConnection implements Connection {
  private waiting: {
    into: Uint8Array;
    resolve(count: number | null): void;
    reject(error: Error): void;
  } | null = null;
  private rest: Uint8Array | null = null;
  private ended = false;
  private broken: Error | null = null;

  constructor(private readonly socket: Duplex) {
    socket.on("readable", () => this.pull());
    socket.on("end", () => {
      this.ended = true;
      this.pull();
    });
    socket.on("error", (error) => this.fail(error));
    socket.on("close", () => this.fail(new Error("closed")));
  }

  read(into: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.waiting = { into, resolve, reject };
      this.pull();
    });
  }

  private pull(): void {
    const { waiting } = this;
    if (waiting === null) return;
    const chunk = this.rest ?? this.socket.read() as Uint8Array | null;
    if (chunk === null || chunk.length === 0) {
      if (this.ended) this.settle(null);
      else if (this.broken !== null) this.fail(this.broken);
      return;
    }
    const count = Math.min(chunk.length, waiting.into.length);
    waiting.into.set(chunk.subarray(0, count));
    this.rest = count < chunk.length ? chunk.subarray(count) : null;
    this.settle(count);
  }

  private settle(count: number | null): void {
    const { waiting } = this;
    this.waiting = null;
    waiting?.resolve(count);
  }

  private fail(error: Error): void {
    this.broken ??= error;
    const { waiting } = this;
    this.waiting = null;
    waiting?.reject(error);
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.broken !== null) return reject(this.broken);
      this.socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.socket.end(() => resolve()));
  }

  close(): void {
    this.socket.destroy();
  }
}
