// A Web Worker that is watched: one that fails is replaced; one that hangs is told, since nothing in
// this process can end it.

import { HEALTH_HUNG_MS, HEALTH_PING_MS, HEALTH_START_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";

type Timer = ReturnType<typeof setTimeout>;

/** Asked by the keeper; a worker answers with a `Pong` of the same number. */
export interface Ping {
  readonly k: "ping";
  readonly number: number;
}
export interface Pong {
  readonly k: "pong";
  readonly number: number;
}

export interface KeptWorkerOptions<From> {
  /** `health`: as it is called in logs. */
  readonly name: string;
  /** The worker's program. */
  readonly url: URL;
  readonly permissions: Deno.PermissionOptionsObject;
  hear(message: From): void;
  /** It was replaced, and has forgotten everything. */
  replaced(): void;
  /** It hangs. */
  hung(): void;
}

/** What a worker that only computes may do: nothing. */
export const NO_PERMISSIONS: Deno.PermissionOptionsObject = {
  net: false,
  read: false,
  write: false,
  run: false,
  env: false,
  sys: false,
  ffi: false,
  import: false,
};

export class KeptWorker<To extends { readonly k: string }, From extends { readonly k: string }>
  implements Disposable {
  #worker: Worker;
  readonly #timer: Timer;
  #pings = 0;
  #pongs = 0;
  /** When the oldest ping without an answer went out. */
  #unansweredMs: number | null = null;
  #strikes = 0;
  /** It has answered once: until then it is being loaded. */
  #awake = false;
  #lastTickMs = performance.now();
  #replacements = 0;
  #closed = false;

  constructor(private readonly options: KeptWorkerOptions<From>) {
    this.#worker = this.#start();
    this.#ping();
    this.#timer = setInterval(() => this.#tick(), HEALTH_PING_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** How often the worker was replaced. */
  get replacements(): number {
    return this.#replacements;
  }

  post(message: To | Ping): void {
    this.#worker.postMessage(message);
  }

  #start(): Worker {
    const { name, url, permissions } = this.options;
    const worker = new Worker(url, { type: "module", name, deno: { permissions } });
    worker.onmessage = (event: MessageEvent<From | Pong>) => this.#hear(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (this.#closed || worker !== this.#worker) return;
      logger(name).error(`the ${name} worker failed and is replaced: {error}`, {
        error: event.message,
      });
      this.#replace();
    };
    return worker;
  }

  #replace(): void {
    this.#worker.terminate();
    this.#replacements++;
    this.#unansweredMs = null;
    this.#strikes = 0;
    this.#pongs = this.#pings;
    this.#awake = false;
    this.#worker = this.#start();
    this.#ping();
    this.options.replaced();
  }

  #ping(): void {
    this.#unansweredMs = performance.now();
    this.post({ k: "ping", number: ++this.#pings });
  }

  #hear(message: From | Pong): void {
    if (message.k !== "pong") return this.options.hear(message as From);
    this.#pongs = (message as Pong).number;
    this.#awake = true;
    if (this.#pongs === this.#pings) this.#unansweredMs = null;
    this.#strikes = 0;
  }

  /**
   * Asks the worker whether it lives. A process that was itself stopped or starved accuses nobody:
   * only rounds that came in time count, and it takes several in a row.
   */
  #tick(): void {
    const nowMs = performance.now();
    const late = nowMs - this.#lastTickMs > 2 * HEALTH_PING_MS;
    this.#lastTickMs = nowMs;
    if (this.#unansweredMs === null) return this.#ping();
    this.#strikes = late ? 0 : this.#strikes + 1;
    const patienceMs = this.#awake ? HEALTH_HUNG_MS : HEALTH_START_MS;
    if (this.#strikes * HEALTH_PING_MS < patienceMs) return;
    const { name } = this.options;
    logger(name).error(`the ${name} worker has not answered for {ms} ms`, {
      ms: Math.round(nowMs - this.#unansweredMs),
    });
    this.options.hung();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#worker.terminate();
  }
}
