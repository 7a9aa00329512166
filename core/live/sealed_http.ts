// Requests, responses and message streams inside sealed connections, for handlers and callers that
// know them as HTTP and WebSockets.

import { Failure } from "../errors.ts";
import { SEAL_CREDIT_BYTES, SEAL_HEAD_BYTES } from "../limits.ts";
import type { Peer } from "../seal/primitives.ts";
import { RECORDS } from "../seal/stream.ts";
import { logger } from "./log.ts";
import { integer, map, oneOf, parseShaped, struct, text } from "../shape.ts";
import { answerSealed, type Channel, type ChannelKeys } from "./sealed_channel.ts";

/** The path at which a sealed connection begins. */
export const SEAL_PATH = "/seal";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array();

const requestShape = struct({
  method: oneOf("GET", "HEAD", "POST", "PUT", "DELETE"),
  path: text(8_192, /^\//),
  headers: map(text(8_192), 64),
});
const responseShape = struct({ status: integer(200, 599), headers: map(text(8_192), 64) });

/** What a handler may do with a request that came sealed. */
interface Exchange {
  readonly peer: Peer | null;
  readonly staticKey: Uint8Array;
  readonly channel: Channel;
  socket: SealedSocket | null;
}

const exchanges = new WeakMap<Request, Exchange>();

/** Who sent the request: `undefined` where it came plain, `null` where a stranger sealed it. */
export function peerOf(request: Request): Peer | null | undefined {
  return exchanges.get(request)?.peer;
}

/** The static key of whoever sealed the request. */
export function staticKeyOf(request: Request): Uint8Array | undefined {
  return exchanges.get(request)?.staticKey;
}

/** A stream of text messages, as much of a WebSocket as is used here. */
export type MessageSocket = WebSocket;

class SealedSocket extends EventTarget {
  readyState: number = WebSocket.CONNECTING;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  binaryType = "arraybuffer";
  #channel: Channel | null = null;
  #closed: { readonly code: number; readonly reason: string } | null = null;

  /** From here on messages go both ways. */
  open(channel: Channel): void {
    if (this.#closed) return channel.close(this.#closed.code, this.#closed.reason);
    this.#channel = channel;
    this.readyState = WebSocket.OPEN;
    this.#tell(new Event("open"), this.onopen);
  }

  hear(content: Uint8Array): void {
    if (this.readyState !== WebSocket.OPEN || content.length === 0) return;
    const body = content.subarray(1);
    const data = content[0] === 0 ? decoder.decode(body) : body.slice().buffer;
    this.#tell(new MessageEvent("message", { data }), this.onmessage);
  }

  ended(code: number, reason: string): void {
    if (this.readyState === WebSocket.CLOSED) return;
    this.readyState = WebSocket.CLOSED;
    this.#tell(new CloseEvent("close", { code, reason }), this.onclose);
  }

  failed(): void {
    this.#tell(new Event("error", { cancelable: true }), this.onerror);
    this.ended(1006, "");
  }

  get bufferedAmount(): number {
    return this.#channel?.bufferedAmount ?? 0;
  }

  send(data: string | Uint8Array | ArrayBuffer): void {
    if (this.readyState !== WebSocket.OPEN) return;
    const isText = typeof data === "string";
    const body = isText ? encoder.encode(data) : new Uint8Array(data);
    const content = new Uint8Array(body.length + 1);
    content[0] = isText ? 0 : 1;
    content.set(body, 1);
    this.#channel!.send(RECORDS.message, content);
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState >= WebSocket.CLOSING) return;
    this.readyState = WebSocket.CLOSING;
    if (this.#channel) this.#channel.close(code, reason);
    else this.#closed = { code, reason };
  }

  #tell<E extends Event>(event: E, listener: ((event: E) => void) | null): void {
    listener?.call(this, event);
    this.dispatchEvent(event);
  }
}

/**
 * Takes over a stream of messages, as `Deno.upgradeWebSocket` does, whether the request came plain
 * or sealed.
 */
export function upgradeStream(
  request: Request,
  options?: Deno.UpgradeWebSocketOptions,
): { readonly socket: MessageSocket; readonly response: Response } {
  const exchange = exchanges.get(request);
  if (!exchange) return Deno.upgradeWebSocket(request, options);
  const socket = new SealedSocket();
  exchange.socket = socket;
  return { socket: socket as unknown as MessageSocket, response: new Response() };
}

/** How many bytes of a body may be on their way. */
class Credit {
  #left = SEAL_CREDIT_BYTES;
  #wake: (() => void) | null = null;

  grant(bytes: number): void {
    this.#left += bytes;
    this.#wake?.();
    this.#wake = null;
  }

  async take(bytes: number): Promise<void> {
    while (this.#left <= 0) await new Promise<void>((resolve) => this.#wake = resolve);
    this.#left -= bytes;
  }
}

/** Largest part of a body in one record. */
const PART_BYTES = 262_144;

/** The body that comes in over a channel; what is read of it lets more follow. */
class IncomingBody {
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  readonly #channel: Channel;
  #open = true;
  #owed = 0;
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;

  constructor(channel: Channel, cancelled: () => void) {
    this.#channel = channel;
    this.stream = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => {
        if (this.#owed === 0) return;
        channel.send(RECORDS.credit, encoder.encode(String(this.#owed)));
        this.#owed = 0;
      },
      cancel: () => {
        this.#open = false;
        cancelled();
      },
    }, { highWaterMark: 0 });
  }

  take(content: Uint8Array): void {
    if (!this.#open) return;
    this.#owed += content.length;
    // A sender that does not heed our bound would fill our memory.
    if (this.#owed > SEAL_CREDIT_BYTES + PART_BYTES) return this.#channel.close(3400, "too much");
    this.#controller.enqueue(content.slice());
  }

  end(): void {
    if (this.#open) this.#controller.close();
    this.#open = false;
  }

  fail(error: Error): void {
    if (this.#open) this.#controller.error(error);
    this.#open = false;
  }
}

async function sendBody(
  channel: Channel,
  credit: Credit,
  body: ReadableStream<Uint8Array> | null,
  ended: () => boolean,
): Promise<void> {
  for await (const chunk of body ?? []) {
    for (let at = 0; at < chunk.length; at += PART_BYTES) {
      const part = chunk.subarray(at, at + PART_BYTES);
      await credit.take(part.length);
      if (ended()) return;
      channel.send(RECORDS.body, part);
    }
  }
  channel.send(RECORDS.end, NOTHING);
}

/** Whose sealed connections a daemon accepts. */
export interface SealedServer {
  readonly keys: ChannelKeys;
  admit(staticKey: Uint8Array, payload: Uint8Array): Peer | null | Promise<Peer | null>;
}

/** Says whether a plain request wants to begin a sealed connection. */
export function isSealRequest(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket" &&
    new URL(request.url).pathname === SEAL_PATH && !request.headers.has("origin");
}

/** Begins a sealed connection; the requests that come over it go to `handler`, one after another. */
export function acceptSealed(
  request: Request,
  server: SealedServer,
  handler: (request: Request) => Response | Promise<Response>,
): Response {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 30 });
  const admit = (staticKey: Uint8Array, payload: Uint8Array) => server.admit(staticKey, payload);
  answerSealed(socket, server.keys, admit).then((accepted) => {
    if (accepted) serveChannel(accepted.channel, accepted.peer, accepted.staticKey, handler);
  }, (error) => {
    logger("seal").error("a handshake failed: {error}", { error: String(error) });
    socket.close();
  });
  return response;
}

function serveChannel(
  channel: Channel,
  peer: Peer | null,
  staticKey: Uint8Array,
  handler: (request: Request) => Response | Promise<Response>,
): void {
  let exchange: Exchange | null = null;
  let incoming: IncomingBody | null = null;
  let credit = new Credit();
  let ended = false;
  let answering: ReadableStreamDefaultReader | null = null;
  const abort = new AbortController();
  const answer = async (request: Request) => {
    const mine: Exchange = { peer, staticKey, channel, socket: null };
    exchange = mine;
    exchanges.set(request, mine);
    const response = await handler(request);
    if (ended) return void response.body?.cancel().catch(() => {});
    if (mine.socket) {
      channel.send(RECORDS.upgraded, NOTHING);
      return mine.socket.open(channel);
    }
    const head = { status: response.status, headers: Object.fromEntries(response.headers) };
    channel.send(RECORDS.response, encoder.encode(JSON.stringify(head)));
    if (response.body === null) return channel.send(RECORDS.end, NOTHING);
    // Read by hand, so that a caller who goes away ends the stream at once.
    const reader = response.body.getReader();
    answering = reader;
    for (;;) {
      const { done, value } = await reader.read();
      if (done || ended) break;
      for (let at = 0; at < value.length; at += PART_BYTES) {
        const part = value.subarray(at, at + PART_BYTES);
        await credit.take(part.length);
        if (ended) return;
        channel.send(RECORDS.body, part);
      }
    }
    answering = null;
    channel.send(RECORDS.end, NOTHING);
  };
  channel.onEnd = (code, reason) => {
    ended = true;
    abort.abort();
    exchange?.socket?.ended(code, reason);
    incoming?.fail(new Error("the sender went away"));
    answering?.cancel().catch(() => {});
    credit.grant(Number.MAX_SAFE_INTEGER);
  };
  channel.onRecord = (kind, content) => {
    switch (kind) {
      case RECORDS.request: {
        const head = content.length > SEAL_HEAD_BYTES
          ? null
          : parseShaped(requestShape, decoder.decode(content));
        if (head === null) return channel.close(3400, "not a request");
        credit = new Credit();
        const hasBody = head.method !== "GET" && head.method !== "HEAD";
        incoming = hasBody ? new IncomingBody(channel, () => {}) : null;
        let request: Request;
        try {
          request = new Request(new URL(head.path, "http://sealed"), {
            method: head.method,
            headers: head.headers,
            signal: abort.signal,
            ...(incoming ? { body: incoming.stream } : {}),
          });
        } catch {
          return channel.close(3400, "not a request");
        }
        answer(request).catch(() => channel.close(3500, "failed"));
        return;
      }
      case RECORDS.body:
        return incoming?.take(content);
      case RECORDS.end:
        return incoming?.end();
      case RECORDS.credit:
        return credit.grant(creditOf(content));
      case RECORDS.message:
        return exchange?.socket?.hear(content);
      default:
        return channel.close(3400, "not a record");
    }
  };
}

function creditOf(content: Uint8Array): number {
  const bytes = Number(decoder.decode(content));
  return Number.isSafeInteger(bytes) && bytes > 0 ? Math.min(bytes, SEAL_CREDIT_BYTES) : 0;
}

// ---- The caller's side --------------------------------------------------------------------------

/** How a caller gets its sealed connections. */
export interface Dial {
  (): Promise<Channel>;
  /** Takes back a connection whose request has been answered; without it each is closed. */
  release?(channel: Channel): void;
}

export interface SealedInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array>;
  readonly signal?: AbortSignal;
}

/**
 * One request over a sealed connection, as `fetch` would do it.
 *
 * @throws {Failure} `seal` (rejection) where there is no connection or it breaks.
 */
export async function sealedFetch(
  dial: Dial,
  path: string,
  init: SealedInit = {},
): Promise<Response> {
  init.signal?.throwIfAborted();
  const channel = await dial();
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const credit = new Credit();
  const broken = (reason: string) =>
    new Failure("seal", `the sealed connection broke off${reason === "" ? "" : `: ${reason}`}`);
  let incoming: IncomingBody | null = null;
  let ended = false;
  const finish = () => {
    init.signal?.removeEventListener("abort", aborted);
    if (dial.release && sent && whole) dial.release(channel);
    else channel.close();
  };
  let sent = init.body === undefined;
  let whole = false;
  const aborted = () => {
    const reason = init.signal!.reason;
    reject(reason);
    incoming?.fail(reason);
    channel.close();
  };
  init.signal?.addEventListener("abort", aborted, { once: true });
  channel.onEnd = (_, reason) => {
    ended = true;
    credit.grant(Number.MAX_SAFE_INTEGER);
    reject(broken(reason));
    incoming?.fail(broken(reason));
  };
  channel.onRecord = (kind, content) => {
    switch (kind) {
      case RECORDS.response: {
        const head = parseShaped(responseShape, decoder.decode(content));
        if (head === null) return channel.close(3400, "not a response");
        const empty = [204, 205, 304].includes(head.status);
        incoming = new IncomingBody(channel, finish);
        return resolve(new Response(empty ? null : incoming.stream, head));
      }
      case RECORDS.body:
        return incoming?.take(content);
      case RECORDS.end:
        incoming?.end();
        whole = true;
        return finish();
      case RECORDS.credit:
        return credit.grant(creditOf(content));
    }
  };
  const head = { method: init.method ?? "GET", path, headers: init.headers ?? {} };
  channel.send(RECORDS.request, encoder.encode(JSON.stringify(head)));
  if (init.body !== undefined) {
    const body = init.body instanceof ReadableStream ? init.body : streamOf(init.body);
    sendBody(channel, credit, body, () => ended).then(() => sent = true, (error) => {
      reject(error);
      channel.close();
    });
  } else if (head.method !== "GET" && head.method !== "HEAD") {
    channel.send(RECORDS.end, NOTHING);
  }
  return await promise;
}

function streamOf(body: string | Uint8Array): ReadableStream<Uint8Array> {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** A stream of messages over a sealed connection, as `new WebSocket` would open it. */
export function sealedSocket(dial: Dial, path: string): MessageSocket {
  const socket = new SealedSocket();
  dial().then((channel) => {
    channel.onEnd = (code, reason) => socket.ended(code, reason);
    channel.onRecord = (kind, content) => {
      if (kind === RECORDS.upgraded) socket.open(channel);
      else if (kind === RECORDS.message) socket.hear(content);
      else if (kind === RECORDS.response) channel.close();
    };
    const head = { method: "GET", path, headers: { upgrade: "websocket" } };
    channel.send(RECORDS.request, encoder.encode(JSON.stringify(head)));
  }, () => socket.failed());
  return socket as unknown as MessageSocket;
}
