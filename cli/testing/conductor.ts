// A stand-in for the conductor that keeps to core/view.ts, for the CLI's own tests.

import { commandIdOf, parseOperatorCommand, withCommandId } from "../../core/command.ts";
import { verify } from "../../core/sign.ts";
import type { AppView, PlanView, ReplicaView } from "../../core/view.ts";
import { parseSigned, UNAUTHORIZED } from "../../core/wire.ts";

export interface FakeOptions {
  readonly publicKey?: Uint8Array;
  /** Answers nothing by UDP. */
  readonly deafUdp?: boolean;
  /** So many signed commands are executed, and their answers lost, however they came. */
  readonly losing?: number;
  /** Answers nothing over HTTP: as the original's conductor. */
  readonly noHttp?: boolean;
  /** Apps that are up from the beginning, in their first generation. */
  readonly up?: readonly string[];
  /** Why every APPLY is refused, as the plan tells. */
  readonly noRoom?: string;
  /** The first APPLY meets somebody else's. */
  readonly conflictOnce?: boolean;
  /** Views that a watch of the app gets after its APPLY, in turn. */
  readonly story?: (app: string, generation: number) => AppView[];
  /** What else is answered over HTTP: path -> body. */
  readonly pages?: Readonly<Record<string, string>>;
  /** What is answered by UDP, besides signed commands. */
  readonly datagrams?: Readonly<Record<string, string>>;
}

export interface FakeConductor extends AsyncDisposable {
  readonly port: number;
  /** `udp` or `tcp` and the command, in the order of arrival; repeats included. */
  readonly received: { by: "udp" | "tcp"; command: string }[];
  /** Commands that took effect. */
  readonly executed: string[];
  /** Bodies of POST /api/plan. */
  readonly planned: string[];
}

export function fakeConductor(options: FakeOptions = {}): FakeConductor {
  const received: FakeConductor["received"] = [];
  const executed: string[] = [];
  const planned: string[] = [];
  const replies = new Map<string, string>();
  const generations = new Map<string, number>((options.up ?? []).map((app) => [app, 1]));
  const artifacts = new Set<string>();
  let losing = options.losing ?? 0;
  let conflicts = options.conflictOnce ? 1 : 0;

  const execute = (by: "udp" | "tcp", text: string): string => {
    const signed = parseSigned(text);
    if (!signed) return UNAUTHORIZED;
    received.push({ by, command: signed.command });
    if (!options.publicKey || !verify(options.publicKey, signed.text, signed.signatureHex)) {
      return UNAUTHORIZED;
    }
    const parsed = parseOperatorCommand(signed.command);
    const name = "id" in parsed ? parsed.id : signed.text;
    const known = replies.get(name);
    if (known !== undefined) return known;
    const reply = judge(signed.command);
    replies.set(name, reply);
    if (reply.startsWith("OK")) executed.push(signed.command);
    return reply;
  };

  const judge = (text: string): string => {
    const command = parseOperatorCommand(text);
    if ("error" in command) return `ERR|${command.error}`;
    if (command.verb === "DOWN") {
      return generations.delete(command.app)
        ? `OK|DOWN|${command.app}`
        : `ERR|not found: ${command.app}`;
    }
    if (command.verb === "STOP" || command.verb === "SCALE" || command.verb === "RESTART") {
      return command.app === "calm"
        ? `ERR|STATE|calm is stopped already`
        : `OK|${command.verb}|${command.app}`;
    }
    if (command.verb !== "APPLY") {
      const [, , first = ""] = text.split("|");
      return "id" in command ? `OK|${command.verb}|${first}|7` : "ERR|unknown command";
    }
    const last = generations.get(command.app) ?? 0;
    if (conflicts-- > 0) {
      generations.set(command.app, last + 1);
      return `ERR|CONFLICT|${command.app} is at ${last + 1}: the next must be ${last + 2}`;
    }
    if (command.generation !== last + 1) {
      return `ERR|CONFLICT|${command.app} is at ${last}: the next must be ${last + 1}`;
    }
    generations.set(command.app, command.generation);
    return `OK|APPLIED|${command.app}|${command.generation}`;
  };

  const plan = (text: string): PlanView => {
    planned.push(text);
    const names = [...text.matchAll(/^app ([a-z0-9-]+)/gm)].map((match) => match[1]!);
    return {
      apps: names.map((app) => ({
        app,
        generation: (generations.get(app) ?? 0) + 1,
        unchanged: text.includes("unchanged-marker"),
        operations: [`place ${app}.1 on node-1: most room`],
        unplaced: [],
        ...(options.noRoom === undefined ? {} : { refused: options.noRoom, operations: [] }),
      })),
    };
  };

  const handler = async (request: Request): Promise<Response> => {
    const { pathname, search, searchParams } = new URL(request.url);
    if (pathname === "/command") {
      const reply = execute("tcp", await request.text());
      return losing-- > 0 ? brokenOff() : new Response(reply);
    }
    if (pathname === "/api/plan") return Response.json(plan(await request.text()));
    const artifact = /^\/artifacts\/([0-9a-f]{64})$/.exec(pathname)?.[1];
    if (artifact && request.method === "POST") {
      artifacts.add(artifact);
      const offset = (await request.bytes()).length;
      return Response.json({ offset, complete: true });
    }
    if (artifact) return new Response(null, { status: artifacts.has(artifact) ? 200 : 404 });
    const app = /^\/api\/apps\/([^/]+)$/.exec(pathname)?.[1];
    if (app && searchParams.has("watch") && options.story) {
      const views = options.story(app, generations.get(app) ?? 0);
      return new Response(story(views));
    }
    const page = options.pages?.[pathname + search] ?? options.pages?.[pathname];
    return page === undefined
      ? Response.json({ error: `there is nothing at ${pathname}` }, { status: 404 })
      : new Response(page);
  };

  const { server, socket, port } = listen(options, handler);
  const loop = answerDatagrams(socket, (text) => {
    if (options.deafUdp) return null;
    if (!parseSigned(text)) return options.datagrams?.[text] ?? null;
    const reply = execute("udp", text);
    if (losing-- > 0) return null;
    const id = commandIdOf(text);
    return id === null ? reply : withCommandId(reply, id);
  });

  return {
    port,
    received,
    executed,
    planned,
    async [Symbol.asyncDispose]() {
      socket.close();
      await loop;
      await server?.shutdown();
    },
  };
}

function listen(options: FakeOptions, handler: (request: Request) => Promise<Response>) {
  const hostname = "127.0.0.1";
  for (let attempt = 0;; attempt++) {
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    const { port } = socket.addr as Deno.NetAddr;
    if (options.noHttp) return { socket, port };
    try {
      const server = Deno.serve({ hostname, port, onListen() {} }, handler);
      return { socket, port, server };
    } catch (error) {
      socket.close();
      if (!(error instanceof Deno.errors.AddrInUse) || attempt > 20) throw error;
    }
  }
}

async function answerDatagrams(
  socket: Deno.DatagramConn,
  answer: (text: string) => string | null,
): Promise<void> {
  for await (const [bytes, from] of socket) {
    const reply = answer(new TextDecoder().decode(bytes));
    if (reply !== null) await socket.send(new TextEncoder().encode(reply), from);
  }
}

/** An answer that ends before it is whole, so that its connection has to be broken off. */
function brokenOff(): Response {
  const nothing = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.close(),
  });
  return new Response(nothing, { headers: { "content-length": "9" } });
}

/** The views, one a line; then the stream stays open, as the conductor's does. */
function story(views: readonly AppView[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      for (const view of views) {
        controller.enqueue(new TextEncoder().encode(`${JSON.stringify(view)}\n`));
      }
    },
  });
}

/** An app's view for tests. */
export function appView(app: string, rest: Partial<AppView> = {}): AppView {
  return {
    app,
    namespace: "default",
    type: "service",
    generation: 1,
    wanted: 1,
    ready: 0,
    state: "deploying",
    reasons: [],
    replicas: [],
    signedBy: "a".repeat(64),
    signedWallMs: 1_790_000_000_000,
    ...rest,
  };
}

/** A replica's view for tests. */
export function replicaView(replica: string, rest: Partial<ReplicaView> = {}): ReplicaView {
  return {
    replica,
    index: 0,
    generation: 1,
    node: "node-1",
    nodeId: "1".repeat(32),
    host: "127.0.0.11",
    state: "starting",
    sinceWallMs: 1_790_000_000_000,
    restarts: 0,
    ...rest,
  };
}
