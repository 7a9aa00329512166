// What the tests of the ingress share: backends that obey a script, a tower that is told what to
// say, clients that speak bytes. Everything listens on a free port of 127.0.0.1.

import type { Endpoint, Route, WatcherMessage, WatchMessage } from "../../core/mesh.ts";
import { watcherShape } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import { ascii, latin1 } from "../field_block.ts";
import { type Ingress, type IngressSettings, startIngress } from "./ingress.ts";

const HOST = "127.0.0.1";

/** An ingress on free ports, with short timeouts unless given. */
export async function testIngress(
  settings: Partial<IngressSettings> = {},
): Promise<Ingress & AsyncDisposable> {
  const ingress = await startIngress({ hostname: HOST, httpPort: 0, name: "test", ...settings });
  return { ...ingress, [Symbol.asyncDispose]: () => ingress.stop() };
}

/** A route of an app. */
export function route(path: string, app: string, more: Partial<Route> = {}): Route {
  return { app, path, sticky: false, weight: 100, tlsRequired: false, ...more };
}

let replicas = 0;

/** An endpoint with an id of its own. */
export function endpoint(app: string, port: number, more: Partial<Endpoint> = {}): Endpoint {
  const replica = `${app}-${++replicas}`;
  return { replica, app, generation: 1, node: "n1", host: HOST, port, ...more };
}

/** One connection that a scripted backend has taken. */
export class Wire {
  private pending = new Uint8Array(0);
  constructor(readonly connection: Deno.Conn) {}

  async write(text: string | Uint8Array): Promise<void> {
    const bytes = typeof text === "string" ? ascii(text) : text;
    for (let at = 0; at < bytes.length;) at += await this.connection.write(bytes.subarray(at));
  }

  /** What comes next, as Latin-1; `null` at the end. */
  async read(): Promise<string | null> {
    if (this.pending.length > 0) {
      const text = latin1(this.pending, 0, this.pending.length);
      this.pending = new Uint8Array(0);
      return text;
    }
    const buffer = new Uint8Array(65_536);
    const count = await this.connection.read(buffer).catch(() => null);
    return count === null ? null : latin1(buffer, 0, count);
  }

  /** Puts back what was read too far. */
  unread(text: string): void {
    if (text === "") return;
    const rest = latin1(this.pending, 0, this.pending.length);
    this.pending = ascii(text + rest);
  }

  /** Reads up to and with `mark`; throws where the stream ends before. */
  async readUntil(mark: string): Promise<string> {
    let text = "";
    for (;;) {
      const at = text.indexOf(mark);
      if (at >= 0) {
        const end = at + mark.length;
        this.pending = ascii(text.slice(end));
        return text.slice(0, end);
      }
      const more = await this.read();
      if (more === null) throw new Error(`ended before ${JSON.stringify(mark)}: ${text}`);
      text += more;
    }
  }

  /** A whole request: head, and the body as Content-Length or chunks have it. */
  async readRequest(): Promise<{ head: string; body: string } | null> {
    let head: string;
    try {
      head = await this.readUntil("\r\n\r\n");
    } catch {
      return null;
    }
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    let body = "";
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      while (!body.endsWith("0\r\n\r\n")) body += await this.readUntil("\r\n");
    }
    while (body.length < length) {
      const more = await this.read();
      if (more === null) return null;
      body += more;
    }
    this.pending = length > 0 && body.length > length ? ascii(body.slice(length)) : this.pending;
    return { head, body: length > 0 ? body.slice(0, length) : body };
  }

  /** Everything until the end or a reset. */
  async readAll(): Promise<string> {
    let text = "";
    for (let more = await this.read(); more !== null; more = await this.read()) text += more;
    return text;
  }

  close(): void {
    try {
      this.connection.close();
    } catch {
      // Closed already.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A backend that does with each connection what `script` says. */
export interface Backend extends AsyncDisposable {
  readonly port: number;
  /** Connections taken. */
  connections: number;
  /** Requests counted by the script. */
  requests: number;
  /** Refuses connections from now on and ends those that stand. */
  die(): void;
}

export function openBackend(
  script: (wire: Wire, backend: Backend, number: number) => Promise<void>,
): Backend {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const wires = new Set<Wire>();
  let open = true;
  const serve = async (wire: Wire, number: number) => {
    try {
      await script(wire, backend, number);
    } catch {
      // The other side has gone; the test looks at what it wants to know.
    } finally {
      wire.close();
      wires.delete(wire);
    }
  };
  const backend: Backend = {
    port: (listener.addr as Deno.NetAddr).port,
    connections: 0,
    requests: 0,
    die() {
      if (!open) return;
      open = false;
      listener.close();
      for (const wire of wires) wire.close();
    },
    [Symbol.asyncDispose]() {
      backend.die();
      return Promise.resolve();
    },
  };
  (async () => {
    for (;;) {
      let connection: Deno.Conn;
      try {
        connection = await listener.accept();
      } catch {
        return;
      }
      const wire = new Wire(connection);
      wires.add(wire);
      serve(wire, backend.connections++);
    }
  })();
  return backend;
}

/** A backend that answers every whole request by `answer`, connections kept open. */
export function answering(
  answer: (request: { head: string; body: string }, number: number) => string | Promise<string>,
): Backend {
  return openBackend(async (wire, backend) => {
    for (;;) {
      const request = await wire.readRequest();
      if (request === null) return;
      await wire.write(await answer(request, backend.requests++));
    }
  });
}

/** `200` with this content. */
export function ok(content: string, fields = ""): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n${fields}\r\n${content}`;
}

/** Connects to a port. */
export async function connect(port: number): Promise<Wire> {
  return new Wire(await Deno.connect({ hostname: HOST, port }));
}

/** Sends bytes, returns all that comes until the connection ends. */
export async function exchange(port: number, request: string | Uint8Array): Promise<string> {
  using wire = await connect(port);
  await wire.write(request);
  return await wire.readAll();
}

/** Resolves when `condition` holds; rejects with `what` after `withinMs`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 5_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`did not happen in ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function revisionOf(message: WatchMessage): number | undefined {
  return "revision" in message ? message.revision : undefined;
}

/** A tower that says what the test tells it, by core/mesh.ts. */
export class FakeTower implements AsyncDisposable {
  readonly messages: WatcherMessage[] = [];
  revision = 1;
  private readonly server: Deno.HttpServer<Deno.NetAddr>;
  private readonly sockets = new Set<WebSocket>();

  constructor(
    public first: WatchMessage,
    port = 0,
  ) {
    this.revision = revisionOf(first) ?? 0;
    this.server = Deno.serve({ hostname: HOST, port, onListen: () => {} }, (request) => {
      if (new URL(request.url).pathname !== "/watch") return new Response("no", { status: 404 });
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => {
        this.sockets.add(socket);
        socket.send(JSON.stringify(this.first));
      };
      socket.onmessage = ({ data }) => {
        const message = parseShaped(watcherShape, data);
        if (message === null) throw new Error(`the ingress sent what is no message: ${data}`);
        this.messages.push(message);
      };
      socket.onclose = () => this.sockets.delete(socket);
      return response;
    });
  }

  static complete(endpoints: readonly Endpoint[], routes: readonly Route[]): FakeTower {
    return new FakeTower(snapshot(endpoints, routes));
  }

  get port(): number {
    return this.server.addr.port;
  }

  get address(): string {
    return `${HOST}:${this.port}`;
  }

  get watchers(): number {
    return this.sockets.size;
  }

  send(message: WatchMessage): void {
    this.revision = revisionOf(message) ?? this.revision;
    for (const socket of this.sockets) socket.send(JSON.stringify(message));
  }

  /** Sends a delta under the next revision, which it returns. */
  delta(up: readonly Endpoint[], down: readonly string[], lost: readonly string[] = []): number {
    this.send({ k: "delta", revision: this.revision + 1, up, down, lost });
    return this.revision;
  }

  /** The last acknowledgement. */
  get ack(): Extract<WatcherMessage, { k: "ack" }> | undefined {
    return this.messages.findLast((each) => each.k === "ack");
  }

  /** Resolves when the last acknowledgement is of `revision` (or later) with exactly these busy. */
  acked(revision: number, busy: readonly string[] = []): Promise<void> {
    return eventually(`ack of ${revision} with ${busy.length} busy`, () => {
      const { ack } = this;
      return ack !== undefined && ack.revision >= revision && ack.busy.join() === busy.join();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.close();
    await this.server.shutdown();
  }
}

/** A complete snapshot of revision 1. */
export function snapshot(
  endpoints: readonly Endpoint[],
  routes: readonly Route[],
  more: Partial<Extract<WatchMessage, { k: "snapshot" }>> = {},
): WatchMessage {
  return {
    k: "snapshot",
    tower: "00112233aabbccdd",
    revision: 1,
    complete: true,
    endpoints,
    routes,
    ...more,
  };
}
