// Streams that operators have to replicas here: a command beside one, files in or out, connections to
// its port. What comes first is the signed request; after that everything is sealed by the key in it.

import { toBytes, toText } from "../../core/bytes.ts";
import { COMMAND_BYTES, NODE_STREAMS, STREAM_REQUEST_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { createKem, type Kem, nodeAead } from "../../core/live/seal_primitives.ts";
import { type MessageSocket, upgradeStream } from "../../core/live/sealed_http.ts";
import { StreamCipher } from "../../core/seal/stream.ts";
import { streamKeys } from "../../core/stream/keys.ts";
import type { Helper } from "./helper.ts";
import type { Processes } from "./process.ts";
import type { OpenedStream, SignedRequests } from "./requests.ts";
import { serveCopy } from "./stream_copy.ts";
import { serveExec } from "./stream_exec.ts";
import { serveForward } from "./stream_forward.ts";

/** What streams need of the node. */
export interface StreamParts {
  readonly name: string;
  readonly host: string;
  /** Where programs are looked for. */
  readonly path: string;
  readonly requests: SignedRequests;
  readonly processes: Processes;
  readonly helper: Helper;
  /** The port that a replica is asked at, and the one that its manifest names. */
  portsOf(replica: string): { readonly own?: number; readonly named?: number };
}

/** A stream whose request was accepted, before anything is sent. */
export interface Begun {
  readonly opened: OpenedStream;
  readonly socket: MessageSocket;
  readonly cipher: StreamCipher;
}

const encoder = new TextEncoder();

export class NodeStreams {
  #open = 0;
  #kem: Promise<Kem> | null = null;

  constructor(private readonly parts: StreamParts) {}

  /** How many there are. */
  get open(): number {
    return this.#open;
  }

  /** Answers `GET /stream`: a WebSocket whose first message is a signed OPEN. */
  accept(request: Request): Response {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return Response.json({ error: "/stream speaks WebSocket" }, { status: 426 });
    }
    if (this.#open >= NODE_STREAMS) {
      return Response.json({ error: `${NODE_STREAMS} streams are open here` }, { status: 503 });
    }
    const { socket, response } = upgradeStream(request, { idleTimeout: 30 });
    socket.binaryType = "arraybuffer";
    this.#open++;
    this.#serve(socket).catch((error) => {
      logger("streams").error("a stream failed: {error}", { error: String(error) });
    }).finally(() => {
      this.#open--;
      socket.close();
    });
    return response;
  }

  async #serve(socket: MessageSocket): Promise<void> {
    const body = await firstMessage(socket);
    if (body === null) return;
    const opened = await this.parts.requests.open(body);
    const answer = (words: Record<string, unknown>) =>
      socket.send(encoder.encode(JSON.stringify(words)));
    if ("status" in opened) return answer({ error: opened.text, status: opened.status });
    this.#kem ??= createKem();
    const publicKey = Uint8Array.fromBase64(opened.details.key);
    const [sealed] = await (await this.#kem).perform([{ op: "encapsulate", publicKey }]) ?? [];
    if (!sealed || !("ciphertext" in sealed)) {
      return answer({ error: "the key of the request is malformed", status: 400 });
    }
    const cipher = new StreamCipher(nodeAead, streamKeys(nodeAead, "node", opened.text, sealed));
    if (socket.readyState !== WebSocket.OPEN) return;
    const begun = { opened, socket, cipher };
    const begin = () => answer({ ciphertext: sealed.ciphertext.toBase64(), node: this.parts.name });
    switch (opened.details.kind) {
      case "exec":
        return await serveExec(this.parts, { ...begun, details: opened.details }, begin);
      case "copy":
        return await serveCopy(this.parts, { ...begun, details: opened.details }, begin);
      case "forward":
        return await serveForward(this.parts, { ...begun, details: opened.details }, begin);
      default:
        return opened.details satisfies never;
    }
  }
}

/** The first message as text; `null` where none comes in time. */
async function firstMessage(socket: MessageSocket): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const timer = setTimeout(() => resolve(null), STREAM_REQUEST_MS);
  socket.onmessage = ({ data }) => {
    const bytes = typeof data === "string" ? toBytes(data) : new Uint8Array(data);
    resolve(bytes.length > COMMAND_BYTES ? null : toText(bytes));
  };
  socket.onerror = (event) => event.preventDefault();
  socket.onclose = () => resolve(null);
  const body = await promise;
  clearTimeout(timer);
  return body;
}
