// Streams between an operator's CLI and a replica: the conductor takes the request down in the log and
// carries what follows, which it can neither read nor alter.

import { toBytes, toText } from "../../core/bytes.ts";
import { splitVerb } from "../../core/wire.ts";
import {
  COMMAND_BYTES,
  CONDUCTOR_STREAMS,
  STREAM_DIAL_MS,
  STREAM_RELAY_BYTES,
  STREAM_REQUEST_MS,
} from "../../core/limits.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import { type MessageSocket, upgradeStream } from "../../core/live/sealed_http.ts";
import { shortened } from "../../core/live/stream_link.ts";
import type { ConductorMachine } from "../machine.ts";
import { dialNode } from "./seal.ts";

export interface StreamRelayParts {
  readonly machine: ConductorMachine;
  seal(): Seal | undefined;
  /** Hands in a signed command; resolves to its reply, or `null` where it gets none. */
  command(text: string, address: string): Promise<string | null>;
}

const encoder = new TextEncoder();

export class StreamRelay {
  #open = 0;

  constructor(private readonly parts: StreamRelayParts) {}

  /** How many there are. */
  get open(): number {
    return this.#open;
  }

  /** Answers `GET /stream`: a WebSocket whose first message is a signed OPEN. */
  accept(request: Request, from: string): Response {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return Response.json({ error: "/stream speaks WebSocket" }, { status: 426 });
    }
    if (this.#open >= CONDUCTOR_STREAMS) {
      const error = `${CONDUCTOR_STREAMS} streams are open here: wait for one to end`;
      return Response.json({ error }, { status: 503 });
    }
    const { socket, response } = upgradeStream(request, { idleTimeout: 30 });
    socket.binaryType = "arraybuffer";
    this.#open++;
    this.#serve(socket, from).finally(() => {
      this.#open--;
      socket.close();
    });
    return response;
  }

  async #serve(socket: MessageSocket, from: string): Promise<void> {
    const inbox = new Inbox(socket);
    const first = await inbox.next(STREAM_REQUEST_MS);
    const text = first && first.length <= COMMAND_BYTES ? toText(first) : null;
    if (text === null) return;
    const refuse = (error: string) =>
      socket.send(encoder.encode(JSON.stringify({ error, status: 403 })));
    if (splitVerb(text)[0] !== "OPEN") return refuse("a stream begins with a signed OPEN");
    const reply = await this.parts.command(text, from) ?? "";
    const [ok, verb, , node = ""] = reply.split("|");
    if (ok !== "OK" || verb !== "OPEN") return refuse(reply);
    const { machine } = this.parts;
    const known = machine.fleet.get(node);
    const name = machine.state.nodes.get(node) ?? node;
    if (!known?.beat) return refuse(`${name} is not heard`);
    const { peer } = known.address ?? {};
    const at = { hostname: known.beat.host, port: known.beat.port, ...(peer ? { peer } : {}) };
    const beyond = dialNode(this.parts.seal(), at, "/stream");
    beyond.binaryType = "arraybuffer";
    const outbox = new Inbox(beyond);
    if (!await outbox.opened(STREAM_DIAL_MS)) {
      beyond.close();
      return refuse(`${name} cannot be reached for a stream`);
    }
    beyond.send(encoder.encode(text));
    await Promise.race([
      carry(inbox, beyond, `${name} did not take in what was sent`),
      carry(outbox, socket, "what came was not taken in"),
    ]);
    const why = outbox.over ? outbox.reason || `${name} went away` : inbox.reason;
    socket.close(1000, shortened(why));
    beyond.close(1000, shortened(why));
  }
}

/** Passes on whatever comes, until one side is over. A side that does not read is not waited for. */
function carry(from: Inbox, to: MessageSocket, slow: string): Promise<void> {
  return new Promise((resolve) => {
    from.drain((message) => {
      to.send(message as Uint8Array<ArrayBuffer>);
      if (to.bufferedAmount <= STREAM_RELAY_BYTES) return;
      from.fail(slow);
      resolve();
    }, resolve);
  });
}

/** What comes over a socket, from its beginning on. */
class Inbox {
  readonly #waiting: Uint8Array[] = [];
  readonly #open = Promise.withResolvers<boolean>();
  #hear: ((message: Uint8Array) => void) | null = null;
  #ended: (() => void) | null = null;
  #reason = "";
  #isOver = false;

  constructor(private readonly socket: MessageSocket) {
    socket.onopen = () => this.#open.resolve(true);
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = ({ reason }) => this.#end(reason);
    if (socket.readyState === WebSocket.OPEN) this.#open.resolve(true);
  }

  get over(): boolean {
    return this.#isOver;
  }

  get reason(): string {
    return this.#reason;
  }

  #take(data: unknown): void {
    if (this.#isOver) return;
    const message = typeof data === "string" ? toBytes(data) : new Uint8Array(data as ArrayBuffer);
    if (this.#hear) return this.#hear(message);
    this.#waiting.push(message);
    // Nobody may say more before an answer than the request.
    if (this.#waiting.length > 1) this.fail("more than a request came");
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reason = reason;
    this.#open.resolve(false);
    this.#ended?.();
  }

  fail(reason: string): void {
    this.#end(reason);
    this.socket.close(1000, shortened(reason));
  }

  /** Resolves to whether it is open in time. */
  async opened(ms: number): Promise<boolean> {
    const timer = setTimeout(() => this.#open.resolve(false), ms);
    const open = await this.#open.promise;
    clearTimeout(timer);
    return open;
  }

  /** The first message; `null` where none comes in time. */
  async next(ms: number): Promise<Uint8Array | null> {
    const waiting = this.#waiting.shift();
    if (waiting) return waiting;
    const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
    const timer = setTimeout(() => resolve(null), ms);
    this.#hear = resolve;
    this.#ended = () => resolve(null);
    const message = await promise;
    clearTimeout(timer);
    this.#hear = null;
    this.#ended = null;
    return message;
  }

  /** Hears all that waits and all that comes, then of the end. */
  drain(hear: (message: Uint8Array) => void, ended: () => void): void {
    this.#hear = hear;
    this.#ended = ended;
    for (const message of this.#waiting.splice(0)) hear(message);
    if (this.#isOver) ended();
  }
}
