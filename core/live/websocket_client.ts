// A small WebSocket client (RFC 6455) for the sealed sessions of the CLI. `new WebSocket` would do,
// but its first use in a process takes as long as the whole CLI needs to start.

import type { Address } from "../address.ts";

/** Longest message taken, in bytes; the runtime's own servers send none that is longer. */
const MESSAGE_BYTES = 64 * 1024 * 1024;
const HEAD_BYTES = 8_192;

const CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3;
const BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

/** As much of a WebSocket as a sealed channel uses; messages are bytes. */
export class PlainWebSocket {
  readyState: number = CONNECTING;
  binaryType = "arraybuffer";
  bufferedAmount = 0;
  onopen: ((event: { readonly type: string }) => void) | null = null;
  onmessage: ((event: { readonly data: ArrayBuffer | string }) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  onerror: ((event: { preventDefault(): void }) => void) | null = null;
  readonly #opened = new Set<() => void>();
  #connection: Deno.TcpConn | null = null;
  #writing: Promise<unknown> = Promise.resolve();
  #closing = { code: 1006, reason: "" };

  constructor(to: Address, path: string) {
    this.#run(to, path).catch(() => {}).finally(() => this.#ended());
  }

  addEventListener(type: "open", listener: () => void): void {
    if (type === "open") this.#opened.add(listener);
  }

  send(data: Uint8Array): void {
    if (this.readyState === OPEN) this.#write(frame(BINARY, data));
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState >= CLOSING) return;
    const wasOpen = this.readyState === OPEN;
    this.readyState = CLOSING;
    this.#closing = { code, reason };
    if (wasOpen) {
      const words = new TextEncoder().encode(reason);
      const content = new Uint8Array(2 + words.length);
      new DataView(content.buffer).setUint16(0, code);
      content.set(words, 2);
      this.#write(frame(CLOSE, content));
    }
    this.#writing.finally(() => this.#drop());
  }

  async #run({ hostname, port }: Address, path: string): Promise<void> {
    const connection = await Deno.connect({ hostname, port });
    this.#connection = connection;
    if (this.readyState !== CONNECTING) return this.#drop();
    connection.setNoDelay();
    const authority = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
    const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
    await this.#write(
      new TextEncoder().encode(
        `GET ${path} HTTP/1.1\r\nhost: ${authority}\r\nupgrade: websocket\r\n` +
          `connection: Upgrade\r\nsec-websocket-key: ${key}\r\nsec-websocket-version: 13\r\n\r\n`,
      ),
    );
    const input = new Input(connection);
    const head = await input.head();
    // Who answers proves itself inside; whether it is a WebSocket shows here well enough.
    if (!/^HTTP\/1\.1 101 /.test(head)) return;
    this.readyState = OPEN;
    this.onopen?.({ type: "open" });
    for (const listener of this.#opened) listener();
    await this.#read(input);
  }

  async #read(input: Input): Promise<void> {
    let parts: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { final, code, content } = await input.frame();
      if (code === CLOSE) {
        const view = new DataView(content.buffer, content.byteOffset, content.length);
        if (this.readyState === OPEN) {
          this.#closing = content.length < 2
            ? { code: 1005, reason: "" }
            : { code: view.getUint16(0), reason: new TextDecoder().decode(content.subarray(2)) };
          this.readyState = CLOSING;
          await this.#write(frame(CLOSE, content.subarray(0, 2)));
        }
        return;
      }
      if (code === PING) this.#write(frame(PONG, content));
      if (code >= CLOSE) continue;
      parts.push(content);
      size += content.length;
      if (size > MESSAGE_BYTES) return;
      if (!final) continue;
      const message = new Uint8Array(size);
      let at = 0;
      for (const part of parts) {
        message.set(part, at);
        at += part.length;
      }
      parts = [];
      size = 0;
      if (this.readyState === OPEN) this.onmessage?.({ data: message.buffer });
    }
  }

  #write(bytes: Uint8Array): Promise<void> {
    this.bufferedAmount += bytes.length;
    const written = this.#writing.then(async () => {
      for (let at = 0; at < bytes.length;) {
        at += await this.#connection!.write(bytes.subarray(at));
      }
      this.bufferedAmount -= bytes.length;
    });
    this.#writing = written.catch(() => this.#drop());
    return written;
  }

  #drop(): void {
    try {
      this.#connection?.close();
    } catch {
      // It is closed.
    }
  }

  #ended(): void {
    this.#drop();
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.onclose?.(this.#closing);
  }
}

/** A frame as a client sends it: masked. */
function frame(code: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const bytes = new Uint8Array(2 + extra + 4 + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x80 | code;
  bytes[1] = 0x80 | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) view.setUint16(2, length);
  if (extra === 8) view.setBigUint64(2, BigInt(length));
  const mask = crypto.getRandomValues(bytes.subarray(2 + extra, 6 + extra));
  const start = 6 + extra;
  for (let at = 0; at < length; at++) bytes[start + at] = content[at]! ^ mask[at & 3]!;
  return bytes;
}

/** Reads a connection piece by piece. */
class Input {
  readonly #chunk = new Uint8Array(65_536);
  #bytes: Uint8Array = new Uint8Array();

  constructor(private readonly connection: Deno.TcpConn) {}

  async #fill(): Promise<void> {
    const count = await this.connection.read(this.#chunk);
    if (count === null) throw new Error("the connection ended");
    const joined = new Uint8Array(this.#bytes.length + count);
    joined.set(this.#bytes);
    joined.set(this.#chunk.subarray(0, count), this.#bytes.length);
    this.#bytes = joined;
  }

  async head(): Promise<string> {
    for (;;) {
      const text = new TextDecoder("latin1").decode(this.#bytes);
      const at = text.indexOf("\r\n\r\n");
      if (at >= 0) {
        this.#bytes = this.#bytes.subarray(at + 4);
        return text.slice(0, at);
      }
      if (text.length > HEAD_BYTES) throw new Error("no end of the head");
      await this.#fill();
    }
  }

  /** Exactly so many bytes, not shared with what is read later. */
  async #exactly(count: number): Promise<Uint8Array> {
    if (this.#bytes.length >= count) {
      const taken = this.#bytes.slice(0, count);
      this.#bytes = this.#bytes.subarray(count);
      return taken;
    }
    const taken = new Uint8Array(count);
    let at = this.#bytes.length;
    taken.set(this.#bytes);
    this.#bytes = new Uint8Array();
    while (at < count) {
      const read = await this.connection.read(taken.subarray(at));
      if (read === null) throw new Error("the connection ended");
      at += read;
    }
    return taken;
  }

  async frame(): Promise<{ final: boolean; code: number; content: Uint8Array }> {
    const [first = 0, second = 0] = await this.#exactly(2);
    let length = second & 0x7f;
    if (length >= 126) {
      const bytes = await this.#exactly(length === 126 ? 2 : 8);
      const view = new DataView(bytes.buffer);
      length = bytes.length === 2 ? view.getUint16(0) : Number(view.getBigUint64(0));
    }
    if ((second & 0x80) !== 0 || (first & 0x70) !== 0 || length > MESSAGE_BYTES) {
      throw new Error("not a frame of a server");
    }
    return {
      final: (first & 0x80) !== 0,
      code: first & 0x0f,
      content: await this.#exactly(length),
    };
  }
}

/** Dials as `new WebSocket` would. */
export function dialWebSocket(url: string): WebSocket {
  const { hostname, port, pathname } = new URL(url);
  const plain = hostname.replace(/^\[|\]$/g, "");
  const to = { hostname: plain, port: Number(port || 80) };
  return new PlainWebSocket(to, pathname) as unknown as WebSocket;
}
