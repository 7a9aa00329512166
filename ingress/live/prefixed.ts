import { ascii } from "../field_block.ts";
import { PREFACE } from "../h2/frames.ts";
import { PROXY_HEADER_BYTES, readProxyHeader } from "../proxy_protocol.ts";
import { closeQuietly, type Connection } from "./connection.ts";

/** A connection of which some bytes have already been read. */
class Prefixed implements Connection {
  constructor(private readonly inner: Connection, private rest: Uint8Array) {}

  read(into: Uint8Array): Promise<number | null> {
    if (this.rest.length === 0) return this.inner.read(into);
    const count = Math.min(into.length, this.rest.length);
    into.set(this.rest.subarray(0, count));
    this.rest = this.rest.subarray(count);
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.inner.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.inner.closeWrite();
  }

  close(): void {
    this.inner.close();
  }
}

/**
 * Reads the PROXY header at the beginning of a connection.
 *
 * @returns the connection behind it, and the client that it names; `null` (closed) where it is
 *   malformed or does not come in time
 */
export async function behindProxyHeader(
  connection: Connection,
  withinMs: number,
): Promise<{ readonly connection: Connection; readonly client: string | undefined } | null> {
  const timer = setTimeout(() => closeQuietly(connection), withinMs);
  const bytes = new Uint8Array(PROXY_HEADER_BYTES);
  let end = 0;
  try {
    for (;;) {
      const count = await connection.read(bytes.subarray(end));
      if (count === null) break;
      end += count;
      const header = readProxyHeader(bytes, end);
      if (header.kind === "bad") break;
      if (header.kind === "more") continue;
      const rest = bytes.slice(header.end, end);
      return { connection: new Prefixed(connection, rest), client: header.client };
    }
  } catch {
    // It broke, or the time was over.
  } finally {
    clearTimeout(timer);
  }
  closeQuietly(connection);
  return null;
}

const PREFACE_BYTES = ascii(PREFACE);

/**
 * Reads on until it is clear whether a client begins with the preface of HTTP/2 (RFC 9113 3.3).
 *
 * @returns the connection as if nothing had been read; `null` (closed) where nothing comes in time
 */
export async function behindPreface(
  connection: Connection,
  withinMs: number,
): Promise<{ readonly connection: Connection; readonly http2: boolean } | null> {
  const timer = setTimeout(() => closeQuietly(connection), withinMs);
  const bytes = new Uint8Array(2_048);
  let end = 0;
  try {
    for (;;) {
      const count = await connection.read(bytes.subarray(end));
      if (count === null) break;
      end += count;
      const seen = Math.min(end, PREFACE_BYTES.length);
      const http2 = PREFACE_BYTES.subarray(0, seen).every((byte, at) => byte === bytes[at]);
      if (http2 && seen < PREFACE_BYTES.length) continue;
      return { connection: new Prefixed(connection, bytes.slice(0, end)), http2 };
    }
  } catch {
    // It broke, or the time was over.
  } finally {
    clearTimeout(timer);
  }
  closeQuietly(connection);
  return null;
}
