// One end of an open stream: channels of bytes, held back by whoever reads them, over sealed messages.

import { STREAM_IDLE_MS, STREAM_PART_BYTES, STREAM_PING_MS, STREAM_SILENT_MS } from "../limits.ts";
import { toBytes, toText } from "../bytes.ts";
import type { StreamCipher } from "../seal/stream.ts";
import {
  creditContent,
  creditOf,
  formatFrame,
  type Frame,
  type FrameKind,
  parseFrame,
} from "../stream/frames.ts";
import { Inflow, Outflow } from "../stream/flow.ts";
import type { MessageSocket } from "./sealed_http.ts";

/** Both ways of one channel. */
export interface Duplex {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Ends both ways at once; the other side is told why. */
  reset(reason: string): void;
}

class Channel implements Duplex {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly #outflow = new Outflow();
  readonly #inflow = new Inflow();
  readonly #chunks: Uint8Array[] = [];
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #writing!: WritableStreamDefaultController;
  #ended = false;
  #discards = false;
  #failure: Error | null = null;
  /** Which ways are over. */
  readonly #over = { in: false, out: false };
  #wakeReader: (() => void) | null = null;
  #wakeWriter: (() => void) | null = null;

  constructor(
    private readonly send: (kind: FrameKind, content?: Uint8Array) => void,
    private readonly closed: () => void,
  ) {
    this.readable = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#pull(),
      cancel: () => this.#discard(),
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({
      start: (controller) => void (this.#writing = controller),
      write: (chunk) => this.#write(chunk),
      close: () => {
        this.send("end");
        this.#done("out");
      },
      abort: (reason) => this.reset(wordsOf(reason)),
    });
  }

  async #pull(): Promise<void> {
    while (this.#chunks.length === 0 && !this.#ended && !this.#failure) {
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const chunk = this.#chunks.shift();
    if (chunk === undefined) {
      // What had come whole before the stream broke off is whole.
      if (!this.#ended) throw this.#failure;
      this.#controller.close();
      return this.#done("in");
    }
    this.#controller.enqueue(chunk);
    this.#read(chunk);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      if (this.#failure) throw this.#failure;
      const count = this.#outflow.take(Math.min(STREAM_PART_BYTES, chunk.length - at));
      if (count === 0) await new Promise<void>((resolve) => this.#wakeWriter = resolve);
      else this.send("data", chunk.subarray(at, at + count));
      at += count;
    }
  }

  /** A frame for this channel; says whether it was in order. */
  hear(frame: Frame): boolean {
    switch (frame.kind) {
      case "data":
        if (this.#ended) return false;
        if (!this.#inflow.receive(frame.content.length)) return false;
        if (this.#discards) this.#read(frame.content);
        else if (frame.content.length > 0) this.#chunks.push(frame.content.slice());
        this.#wakeReader?.();
        return true;
      case "credit": {
        const bytes = creditOf(frame);
        if (bytes === null) return false;
        this.#outflow.grant(bytes);
        this.#wakeWriter?.();
        return true;
      }
      case "end":
        this.#ended = true;
        if (this.#discards) this.#done("in");
        this.#wakeReader?.();
        return true;
      case "reset":
        this.fail(new Error(toText(frame.content) ?? ""));
        return true;
      default:
        return false;
    }
  }

  /** Whoever reads or writes fails with this. */
  fail(error: Error): void {
    if (this.#failure || (this.#over.in && this.#over.out)) return;
    this.#failure = error;
    // Whoever reads gets what had come, and then the failure.
    this.#wakeReader?.();
    this.#wakeWriter?.();
    if (!this.#over.out) this.#writing.error(error);
    this.#over.in = this.#over.out = true;
    this.closed();
  }

  reset(reason: string): void {
    if (this.#failure || (this.#over.in && this.#over.out)) return;
    this.send("reset", toBytes(reason.slice(0, 500)));
    this.fail(new Error(reason));
  }

  /** Nobody reads any more: what comes is let through to nowhere, so that the other way goes on. */
  #discard(): void {
    this.#discards = true;
    for (const chunk of this.#chunks.splice(0)) this.#read(chunk);
    if (this.#ended) this.#done("in");
  }

  #read(chunk: Uint8Array): void {
    const granted = this.#inflow.read(chunk.length);
    if (granted > 0) this.send("credit", creditContent(granted));
  }

  #done(way: "in" | "out"): void {
    if (this.#over[way]) return;
    this.#over[way] = true;
    if (this.#over.in && this.#over.out) this.closed();
  }
}

function wordsOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : reason === undefined ? "" : String(reason);
}

export interface LinkOptions {
  readonly socket: MessageSocket;
  readonly cipher: StreamCipher;
  /** Hears frames that belong to no channel: exit, size, signal. */
  control(frame: Frame): void;
  /** A connection that the other side begins; absent: it may begin none. */
  opened?(channel: Duplex): void;
  /** Most channels that the other side may have open. */
  readonly channels?: number;
  /** Says so in time when the other side is gone without a word: of the side that has a person. */
  readonly watches?: boolean;
}

/** A stream whose request was accepted. */
export class StreamLink {
  /** Resolves with why the stream is over. */
  readonly over: Promise<string>;
  readonly #end = Promise.withResolvers<string>();
  readonly #channels = new Map<number, Channel>();
  readonly #timer: ReturnType<typeof setInterval>;
  #heardMs = performance.now();
  #usedMs = performance.now();
  #isOver = false;

  constructor(private readonly options: LinkOptions) {
    this.over = this.#end.promise;
    this.#timer = setInterval(() => this.#look(), STREAM_PING_MS);
    Deno.unrefTimer(this.#timer);
  }

  /**
   * Hears the other side from now on: its channels must be there.
   *
   * @param early what came while the keys were being made
   */
  begin(early: readonly unknown[] = []): void {
    const { socket } = this.options;
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = ({ reason }) => this.#finish(reason);
    for (const data of early) this.#hear(data);
    if (socket.readyState > WebSocket.OPEN) this.#finish("");
  }

  /** A channel that both sides know, or (`begin`) a connection that begins now. */
  channel(id: number, begin = false): Duplex {
    if (begin) this.send("open", id);
    return this.#add(id);
  }

  #add(id: number): Channel {
    const channel = new Channel(
      (kind, content) => this.send(kind, id, content),
      () => this.#channels.delete(id),
    );
    this.#channels.set(id, channel);
    if (this.#isOver) channel.fail(new Error("the stream is over"));
    return channel;
  }

  send(kind: FrameKind, channel = 0, content?: Uint8Array): void {
    if (this.#isOver) return;
    if (kind === "data") this.#usedMs = performance.now();
    const { code, body } = formatFrame(kind, channel, content);
    const { socket, cipher } = this.options;
    socket.send(cipher.seal(code, body) as Uint8Array<ArrayBuffer>);
  }

  /** Says how it ended, and waits for the other side to close: so nothing that was sent is lost. */
  async exit(content: Uint8Array): Promise<void> {
    this.send("exit", 0, content);
    const timer = setTimeout(() => this.close("its end was not taken in"), STREAM_SILENT_MS);
    await this.over;
    clearTimeout(timer);
  }

  /** Ends the stream at once. */
  close(reason = ""): void {
    if (this.#isOver) return;
    this.options.socket.close(1000, shortened(reason));
    this.#finish(reason);
  }

  #hear(data: unknown): void {
    if (this.#isOver) return;
    const record = data instanceof ArrayBuffer
      ? this.options.cipher.open(new Uint8Array(data))
      : null;
    const frame = record && parseFrame(record.kind, record.content);
    // Whoever carries the stream has touched it, or the other side is no end of it.
    if (!frame) return this.close("what came was not sealed by the other end of the stream");
    this.#heardMs = performance.now();
    switch (frame.kind) {
      case "ping":
        return this.send("pong");
      case "pong":
        return;
      case "data":
        this.#usedMs = this.#heardMs;
        break;
      case "exit":
      case "size":
      case "signal":
        return this.options.control(frame);
      case "open":
        return this.#opened(frame.channel);
    }
    // A frame for a channel that was just given up on this side is late, not wrong.
    const isWell = this.#channels.get(frame.channel)?.hear(frame) ?? true;
    if (!isWell) this.close("the other end does not keep to the protocol");
  }

  #opened(id: number): void {
    const { opened, channels = 0 } = this.options;
    if (!opened || this.#channels.has(id)) return this.close("no connection may begin here");
    if (this.#channels.size >= channels) {
      return this.send("reset", id, toBytes(`${channels} connections are open already`));
    }
    opened(this.#add(id));
  }

  #look(): void {
    const nowMs = performance.now();
    if (nowMs - this.#usedMs > STREAM_IDLE_MS) return this.close("nothing was sent for too long");
    if (!this.options.watches) return;
    if (nowMs - this.#heardMs > STREAM_SILENT_MS) return this.close("the node does not answer");
    this.send("ping");
  }

  #finish(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    const error = new Error(reason === "" ? "the connection broke off" : reason);
    for (const channel of [...this.#channels.values()]) channel.fail(error);
    this.#end.resolve(reason);
  }
}

/** As much of a reason as a WebSocket's close may carry: 123 bytes. */
export function shortened(reason: string): string {
  let text = reason.slice(0, 120);
  while (new TextEncoder().encode(text).length > 120) text = text.slice(0, -1);
  return text;
}
