// The CLI's HTTP/1.1 client: one request a connection. `fetch` would do, but costs 8 ms at its
// first use, a third of the CLI's whole start, and sends requests for this machine to a proxy when
// the environment names one.

import { type Address, showAddress } from "../core/address.ts";
import { Failure } from "../core/errors.ts";
import { type ConductorAddress } from "./target.ts";

/** Longest head of a response, and longest line of a chunk's length, in bytes. */
const HEAD_BYTES = 16_384;

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST";
  readonly path: string;
  readonly body?: string | Uint8Array;
  /** Further fields of the head. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the request with the reason, a `Failure`. */
  readonly signal: AbortSignal;
}

/** A response whose body has not been read. */
export interface HttpResponse {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The body as it comes, UTF-8 decoded. The connection closes when the iteration ends. */
  readonly body: AsyncGenerator<string>;
}

const encoder = new TextEncoder();

/**
 * Sends a request and resolves when the response's head is there.
 *
 * @throws {Failure} `unreachable` if nobody accepts the connection, or it breaks; the signal's
 *   reason if it is aborted; `not-http` for an answer that is no HTTP.
 */
export async function request(
  to: ConductorAddress,
  options: HttpRequest,
): Promise<HttpResponse> {
  // Loaded where it is wanted: the seal takes its part of the CLI's start.
  if (to.seal) {
    warmUp();
    return await (await import("./sealed.ts")).sealedRequest(to, options);
  }
  const connection = await connect(to, options.signal);
  const abort = () => closeQuietly(connection);
  options.signal.addEventListener("abort", abort);
  const done = () => {
    options.signal.removeEventListener("abort", abort);
    closeQuietly(connection);
  };
  const reader = new Reader(connection, to, options.signal);
  try {
    const body = typeof options.body === "object"
      ? options.body
      : encoder.encode(options.body ?? "");
    const more = Object.entries(options.headers ?? {}).map(([name, value]) =>
      `${name}: ${value}\r\n`
    ).join("");
    const head = `${options.method} ${options.path} HTTP/1.1\r\nhost: ${showAddress(to)}\r\n` +
      `${more}content-length: ${body.length}\r\nconnection: close\r\n\r\n`;
    await reader.guard(writeAll(connection, encoder.encode(head), body));
    const { status, headers } = parseHead(await reader.until("\r\n\r\n"), to);
    if (options.method === "HEAD") done();
    const content = options.method === "HEAD" ? nothing() : readBody(reader, headers, done);
    return { status, headers, body: content };
  } catch (error) {
    done();
    throw error;
  }
}

let warm = false;

/**
 * The first encapsulation of a process includes the library's self-test, 30 ms on another thread:
 * it runs while the seal is being loaded.
 */
function warmUp(): void {
  if (warm) return;
  warm = true;
  const subtle = crypto.subtle as unknown as {
    generateKey(name: string, extractable: boolean, usages: string[]): Promise<CryptoKeyPair>;
    encapsulateBits?(name: string, key: CryptoKey): Promise<unknown>;
  };
  const name = "ML-KEM-768";
  subtle.generateKey(name, false, ["encapsulateBits", "decapsulateBits"])
    .then(({ publicKey }) => subtle.encapsulateBits?.(name, publicKey))
    .catch(() => {}); // Where the runtime has no ML-KEM another one is loaded.
}

async function connect(to: Address, signal: AbortSignal): Promise<Deno.TcpConn> {
  if (signal.aborted) throw signal.reason;
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  );
  const connecting = Deno.connect({ hostname: to.hostname, port: to.port });
  try {
    const connection = await Promise.race([connecting, aborted]);
    connection.setNoDelay();
    return connection;
  } catch (error) {
    connecting.then(closeQuietly, () => {});
    if (error instanceof Failure || error instanceof Deno.errors.NotCapable) throw error;
    throw new Failure("unreachable", `${showAddress(to)}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function writeAll(connection: Deno.TcpConn, ...parts: Uint8Array[]): Promise<void> {
  for (const part of parts) {
    for (let at = 0; at < part.length;) at += await connection.write(part.subarray(at));
  }
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** Reads a connection by delimiters and by lengths, as ISO-8859-1 so that bytes are characters. */
class Reader {
  readonly #chunk = new Uint8Array(65_536);
  #bytes: Uint8Array = new Uint8Array();

  constructor(
    readonly connection: Deno.TcpConn,
    readonly to: Address,
    readonly signal: AbortSignal,
  ) {}

  /** Turns a broken connection into a failure that says so. */
  async guard<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      if (this.signal.aborted) throw this.signal.reason;
      throw new Failure("unreachable", `${showAddress(this.to)}: ${(error as Error).message}`);
    }
  }

  /** More bytes into the buffer; false at the end of the stream. */
  async #fill(): Promise<boolean> {
    const count = await this.guard(this.connection.read(this.#chunk));
    if (this.signal.aborted) throw this.signal.reason;
    if (count === null) return false;
    const joined = new Uint8Array(this.#bytes.length + count);
    joined.set(this.#bytes);
    joined.set(this.#chunk.subarray(0, count), this.#bytes.length);
    this.#bytes = joined;
    return true;
  }

  /** Everything up to the delimiter, which is taken and left out. */
  async until(delimiter: string): Promise<string> {
    for (;;) {
      const text = latin1.decode(this.#bytes.subarray(0, HEAD_BYTES));
      const at = text.indexOf(delimiter);
      if (at >= 0) {
        this.#bytes = this.#bytes.subarray(at + delimiter.length);
        return text.slice(0, at);
      }
      if (text.length >= HEAD_BYTES) throw notHttp(this.to);
      if (await this.#fill()) continue;
      // Who dies before its answer, or in it, has said nothing that would be wrong.
      throw text === "" || text.startsWith("HTTP/1.") ? brokenOff(this.to) : notHttp(this.to);
    }
  }

  /** The next at most `most` bytes; `null` at the end of the stream. */
  async some(most: number): Promise<Uint8Array | null> {
    if (this.#bytes.length === 0 && !await this.#fill()) return null;
    const part = this.#bytes.subarray(0, most);
    this.#bytes = this.#bytes.subarray(part.length);
    return part;
  }
}

const latin1 = new TextDecoder("latin1");

function notHttp(to: Address): Failure {
  return new Failure("not-http", `${showAddress(to)} does not answer as a conductor does`);
}

function parseHead(head: string, to: Address): { status: number; headers: Map<string, string> } {
  const [first = "", ...lines] = head.split("\r\n");
  const status = /^HTTP\/1\.[01] ([1-5][0-9]{2})/.exec(first)?.[1];
  if (status === undefined) throw notHttp(to);
  const headers = new Map(lines.map((line) => {
    const cut = line.indexOf(":");
    return [line.slice(0, cut).toLowerCase(), line.slice(cut + 1).trim()] as const;
  }));
  return { status: Number(status), headers };
}

async function* readBody(
  reader: Reader,
  headers: ReadonlyMap<string, string>,
  done: () => void,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  try {
    const chunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked";
    const length = headers.get("content-length");
    const parts = chunked
      ? readChunks(reader)
      : readLength(reader, length === undefined ? Infinity : Number(length));
    for await (const part of parts) yield decoder.decode(part, { stream: true });
  } finally {
    done();
  }
}

async function* readLength(reader: Reader, length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0;) {
    const part = await reader.some(Math.min(left, 65_536));
    if (part === null) {
      if (length === Infinity) return;
      throw brokenOff(reader.to);
    }
    left -= part.length;
    yield part;
  }
}

async function* readChunks(reader: Reader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const line = await reader.until("\r\n").catch((error) => {
      throw error.code === "not-http" ? brokenOff(reader.to) : error;
    });
    const size = /^[0-9a-fA-F]{1,8}/.exec(line)?.[0];
    if (size === undefined) throw notHttp(reader.to);
    if (Number.parseInt(size, 16) === 0) return;
    yield* readLength(reader, Number.parseInt(size, 16));
    await reader.until("\r\n");
  }
}

async function* nothing(): AsyncGenerator<string> {}

function brokenOff(to: Address): Failure {
  return new Failure("unreachable", `${showAddress(to)}: the connection broke off`);
}
