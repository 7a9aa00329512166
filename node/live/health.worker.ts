// Probes over the network, in a Web Worker that may reach the node's own addresses and nothing else.
// It imports no code: its file is all that must be readable.

/// <reference lib="deno.worker" />
import type { FromWorker, ToWorker } from "./prober.ts";

const say = (message: FromWorker) => self.postMessage(message);

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.k === "ping") say({ k: "pong", number: message.number });
  else probe(message);
};

type Probe = Extract<ToWorker, { k: "probe" }>;

async function probe(order: Probe): Promise<void> {
  const { probe, timeoutMs } = order;
  const answered = { k: "probed", probe } as const;
  let connection: Deno.TcpConn | undefined;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    say({ ...answered, result: "failed", detail: `no answer within ${timeoutMs} ms` });
    connection?.close();
  }, timeoutMs);
  try {
    connection = await Deno.connect({ hostname: order.host, port: order.port });
    if (late) return connection.close();
    const detail = order.check.kind === "get" ? await get(connection, order, order.check) : "";
    if (late) return;
    say({ ...answered, result: detail === "" ? "passed" : "failed", detail });
  } catch (error) {
    if (late) return;
    const refused = error instanceof Deno.errors.ConnectionRefused;
    const detail = refused
      ? `nothing listens at ${order.host}:${order.port}`
      : `${order.host}:${order.port}: ${(error as Error).message}`;
    say({ ...answered, result: refused ? "refused" : "failed", detail });
  } finally {
    clearTimeout(timer);
    if (!late && connection) hangUp(connection, order);
  }
}

/** Asks and reads the status line; says what is wrong with it, or nothing. */
async function get(
  connection: Deno.TcpConn,
  { host, port }: Probe,
  { path, status }: Extract<Probe["check"], { kind: "get" }>,
): Promise<string> {
  const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const request = `GET ${path} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: skr8tr-health\r\n` +
    `Accept: */*\r\nConnection: close\r\n\r\n`;
  await writeAll(connection, new TextEncoder().encode(request));
  const buffer = new Uint8Array(1024);
  let length = 0;
  let text = "";
  while (length < buffer.length && !text.includes("\n")) {
    const read = await connection.read(buffer.subarray(length));
    if (read === null) break;
    length += read;
    text = new TextDecoder().decode(buffer.subarray(0, length));
  }
  const line = /^HTTP\/1\.[01] ([0-9]{3})(?: |\r?\n)/.exec(text);
  if (!line) return `GET ${path} got no HTTP answer`;
  return Number(line[1]) === status ? "" : `GET ${path} answered ${line[1]}, not ${status}`;
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Reads what still comes, within bounds, so that the program does not see its answer cut off. */
async function hangUp(connection: Deno.TcpConn, order: Probe): Promise<void> {
  const timer = setTimeout(() => close(connection), order.timeoutMs);
  try {
    const buffer = new Uint8Array(4096);
    let left = order.check.kind === "get" ? order.maxBytes : 0;
    while (left > 0) {
      const read = await connection.read(buffer);
      if (read === null) break;
      left -= read;
    }
  } catch {
    // The verdict has been given; how the program hangs up is its own affair.
  } finally {
    clearTimeout(timer);
    close(connection);
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
