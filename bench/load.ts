// An even stream of requests through an ingress, over kept-alive connections. Each request is due at
// its time whatever became of the others (an open loop), so a stall counts for all that fall into it.

/** What became of the requests. */
export interface LoadResult {
  readonly sent: number;
  /** Each kind of failure with its number. */
  readonly failures: ReadonlyMap<string, number>;
  /** From when a request was due to the last byte of its answer, ms. */
  readonly latenciesMs: readonly number[];
}

export interface Load {
  stop(): Promise<LoadResult>;
}

interface Target {
  readonly hostname: string;
  readonly port: number;
}

const decoder = new TextDecoder("latin1");

/** One connection, which carries one request at a time. */
class Connection {
  readonly #buffer = new Uint8Array(16_384);

  private constructor(private readonly connection: Deno.TcpConn) {}

  static async open(target: Target): Promise<Connection> {
    const connection = await Deno.connect(target);
    connection.setNoDelay();
    return new Connection(connection);
  }

  /** Sends a request and reads its answer; resolves to the status. */
  async ask(request: Uint8Array): Promise<number> {
    for (let at = 0; at < request.length;) {
      at += await this.connection.write(request.subarray(at));
    }
    let text = "";
    for (;;) {
      const head = text.indexOf("\r\n\r\n");
      if (head >= 0) {
        const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1];
        if (length === undefined) throw new Error("an answer without a length");
        if (text.length >= head + 4 + Number(length)) return Number(text.slice(9, 12));
      }
      const count = await this.connection.read(this.#buffer);
      if (count === null) throw new Error("the connection was closed before the answer");
      text += decoder.decode(this.#buffer.subarray(0, count));
    }
  }

  close(): void {
    this.connection.close();
  }
}

/** Begins to ask for `path`, so many times a second. */
export function startLoad(target: Target, path: string, perSecond: number): Load {
  const request = new TextEncoder().encode(
    `GET ${path} HTTP/1.1\r\nHost: ${target.hostname}:${target.port}\r\n\r\n`,
  );
  const begunMs = performance.now();
  const failures = new Map<string, number>();
  const latenciesMs: number[] = [];
  const open = new Set<Promise<void>>();
  const idle: Connection[] = [];
  let sent = 0;
  const fail = (why: string) => failures.set(why, (failures.get(why) ?? 0) + 1);
  const ask = async (dueMs: number) => {
    let connection: Connection | undefined;
    try {
      connection = idle.pop() ?? await Connection.open(target);
      const status = await connection.ask(request);
      latenciesMs.push(performance.now() - dueMs);
      if (status !== 200) fail(`status ${status}`);
      idle.push(connection);
    } catch (error) {
      // A kept-alive connection that the ingress closes counts, too: it must not, unasked.
      fail(error instanceof Error ? error.message : String(error));
      connection?.close();
    }
  };
  const pump = () => {
    const due = Math.floor((performance.now() - begunMs) * perSecond / 1000);
    for (; sent < due; sent++) {
      const asked = ask(begunMs + sent * 1000 / perSecond).finally(() => open.delete(asked));
      open.add(asked);
    }
  };
  const timer = setInterval(pump, 1);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      for (const connection of idle) connection.close();
      return { sent, failures, latenciesMs };
    },
  };
}
