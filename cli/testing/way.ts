// A way to a conductor on which connections break: in the middle of a request, or before its answer.

/** What becomes of one request. */
export interface Fate {
  /** Only so many bytes of it arrive. */
  readonly cutAtByte?: number;
  /** It arrives, is answered, and the answer does not come back. */
  readonly losesAnswer?: boolean;
}

export class Way implements AsyncDisposable {
  /** First lines of all requests, in their order: `POST /command HTTP/1.1`. */
  readonly requests: string[] = [];
  /** Says what becomes of the request with this first line. */
  fateOf: (line: string) => Fate = () => ({});
  /** What happens when something was lost, before whoever waits for it notices. */
  onLost: () => Promise<void> = () => Promise.resolve();
  /** What happens before a request with this first line goes on. */
  onRequest: (line: string) => Promise<void> = () => Promise.resolve();
  /** What happens when whoever is asked breaks off by itself, before whoever asked notices. */
  onBroken: () => Promise<void> = () => Promise.resolve();
  /** Says whether what comes back now reaches whoever asked; else it is lost, and the connection. */
  passes: () => Promise<boolean> = () => Promise.resolve(true);
  /** Both ends of all connections that stand. */
  readonly #open = new Set<Deno.TcpConn>();
  readonly #listener = Deno.listen({ hostname: "127.0.0.9", port: 0 });
  readonly #loop: Promise<void>;

  constructor(public to: { readonly hostname: string; readonly port: number }) {
    this.#loop = this.#accept();
  }

  get address(): string {
    const { hostname, port } = this.#listener.addr;
    return `${hostname}:${port}`;
  }

  async #accept(): Promise<void> {
    const all: Promise<void>[] = [];
    // A connection that broke is what this is for.
    for await (const client of this.#listener) all.push(this.#carry(client).catch(() => {}));
    await Promise.all(all);
  }

  /** One request a connection, as the CLI makes them, or a sealed session. */
  async #carry(client: Deno.TcpConn): Promise<void> {
    using near = this.#kept(client);
    const buffer = new Uint8Array(65_536);
    const length = await near.read(buffer) ?? 0;
    const [line = ""] = new TextDecoder().decode(buffer.subarray(0, length)).split("\r\n", 1);
    this.requests.push(line);
    await this.onRequest(line);
    const { cutAtByte = Infinity, losesAnswer = false } = this.fateOf(line);
    const { hostname, port } = this.to;
    using far = this.#kept(await Deno.connect({ hostname, port }));
    const cut = Promise.withResolvers<void>();
    const up = async () => {
      let left = cutAtByte;
      for (let chunk: Uint8Array | null = buffer.slice(0, length); chunk;) {
        await writeAll(far, chunk.subarray(0, Math.min(left, chunk.length)));
        left -= chunk.length;
        if (left <= 0) return cut.resolve();
        const more = new Uint8Array(65_536);
        const count = await near.read(more);
        chunk = count === null ? null : more.subarray(0, count);
      }
      await far.closeWrite();
    };
    const upward = up().catch(() => {});
    const lost = await Promise.race([
      cut.promise.then(() => true),
      this.#back(far, near, losesAnswer),
    ]);
    if (!lost) {
      near.closeWrite();
      return await upward;
    }
    far.close();
    await this.onLost();
  }

  /** It ends with the way, if nobody has ended it before. */
  #kept(connection: Deno.TcpConn): Deno.TcpConn {
    this.#open.add(connection);
    return connection;
  }

  /** Says whether the answer was lost. */
  async #back(far: Deno.TcpConn, near: Deno.TcpConn, loses: boolean): Promise<boolean> {
    const buffer = new Uint8Array(65_536);
    let answered = false;
    try {
      for (let count; (count = await far.read(buffer)) !== null;) {
        if (loses || !await this.passes()) return true;
        answered = true;
        await writeAll(near, buffer.subarray(0, count));
      }
    } catch (error) {
      if (error instanceof Deno.errors.BadResource) return false;
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    if (!answered) await this.onBroken();
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const each of this.#open) {
      try {
        each.close();
      } catch {
        // It has ended.
      }
    }
    await this.#loop;
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
