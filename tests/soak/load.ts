// The users of a soak: idempotent requests over HTTP/1.1 and HTTP/2, kept-alive and new connections.

import http2, { type ClientHttp2Session } from "node:http2";

/** How many requests were answered, and what went wrong. */
export interface Tally {
  sent: number;
  readonly failures: Map<string, number>;
}

export function tally(): Tally {
  return { sent: 0, failures: new Map() };
}

function failed(to: Tally, why: string): void {
  to.failures.set(why, (to.failures.get(why) ?? 0) + 1);
}

/** Asks again and again until `running()` is false, one connection a request or one for all. */
export async function askHttp1(
  target: { readonly hostname: string; readonly port: number },
  path: string,
  running: () => boolean,
  to: Tally,
  options: { readonly keepAlive: boolean; readonly pauseMs: number },
): Promise<void> {
  const request = new TextEncoder().encode(
    `GET ${path} HTTP/1.1\r\nHost: soak.test\r\n${
      options.keepAlive ? "" : "Connection: close\r\n"
    }\r\n`,
  );
  const decoder = new TextDecoder("latin1");
  const buffer = new Uint8Array(16_384);
  let connection: Deno.TcpConn | null = null;
  while (running()) {
    try {
      connection ??= await Deno.connect(target);
      for (let at = 0; at < request.length;) at += await connection.write(request.subarray(at));
      to.sent++;
      let text = "";
      for (;;) {
        const head = text.indexOf("\r\n\r\n");
        const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
        if (head >= 0 && text.length >= head + 4 + length) break;
        const count = await connection.read(buffer);
        if (count === null) throw new Error("the connection ended before the answer");
        text += decoder.decode(buffer.subarray(0, count));
      }
      if (!text.startsWith("HTTP/1.1 200")) failed(to, text.slice(0, text.indexOf("\r\n")));
      if (!options.keepAlive || /\r\nconnection: close\r\n/i.test(text)) {
        connection.close();
        connection = null;
      }
    } catch (error) {
      failed(to, (error as Error).message);
      try {
        connection?.close();
      } catch {
        // Closed already.
      }
      connection = null;
    }
    await pause(options.pauseMs);
  }
  connection?.close();
}

/** The same on sessions of HTTP/2, a new one every so many requests. */
export async function askHttp2(
  url: string,
  ca: string,
  path: string,
  running: () => boolean,
  to: Tally,
  pauseMs: number,
): Promise<void> {
  while (running()) {
    const session = http2.connect(url, { ca, servername: "localhost" });
    session.on("error", () => {});
    for (
      let count = 0;
      count < 200 && running() && !session.closed && !session.destroyed;
      count++
    ) {
      to.sent++;
      const status = await askStream(session, path).catch((error: Error) => error.message);
      if (status !== 200) failed(to, `HTTP/2: ${status}`);
      await pause(pauseMs);
    }
    session.destroy();
  }
}

function askStream(session: ClientHttp2Session, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": path });
    let status = 0;
    stream.on("response", (fields) => status = Number(fields[":status"]));
    stream.on("error", reject);
    stream.on("close", () => resolve(status));
    stream.resume();
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
