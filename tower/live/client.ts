// The tower's client for workloads: who serves an app, now and as it changes. Public, by mod.ts.

import { programDial } from "../../core/dial.ts";
import { TowerStream } from "../../core/live/tower_stream.ts";
import { parseShaped } from "../../core/shape.ts";
import { type WatchMessage, watchShape } from "../../core/mesh.ts";

/** One ready replica of an app. */
export interface Endpoint {
  /** Its id; never used again for another. */
  readonly replica: string;
  /** IPv4 or IPv6 address, without brackets. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** The node that it runs on. */
  readonly node: string;
  /** Which version of the app it runs. */
  readonly generation: number;
}

/** How to talk to a tower. */
export interface TowerOptions {
  /** How old a list may be before `fetch` asks for a new one, in ms. Default 500. */
  readonly freshMs?: number;
  /** How long the tower may take to answer a lookup, in ms. Default 2000. */
  readonly timeoutMs?: number;
}

/**
 * What went wrong between a workload and the tower:
 * - `unreachable`: the tower does not answer, and nothing is known from before
 * - `refused`: the tower does not let this address read; start it with `--plain`
 * - `bad-answer`: what answers there is no tower
 * - `no-replica`: no ready replica of the app, or none that accepts a connection
 */
export class TowerError extends Error {
  /** `TowerError`. */
  override readonly name = "TowerError";

  /** Made by `Tower`. */
  constructor(
    /** For programs; the message is for people. */
    readonly code: "unreachable" | "refused" | "bad-answer" | "no-replica",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Where a tower listens when nobody says otherwise. */
const STANDARD_ADDRESS = "http://127.0.0.1:7772";

/** What is known of an app. */
interface Known {
  endpoints: readonly Endpoint[];
  atMs: number;
  /** A lookup under way, so that a thousand requests at once ask the tower once. */
  asking: Promise<readonly Endpoint[]> | null;
  /** Whose turn the next request is. */
  turn: number;
}

/**
 * Finds the ready replicas of other apps, and sends them requests.
 *
 * A workload on skr8tr is given the tower's address in `SKR8TR_TOWER`; `new Tower()` reads it there
 * (which takes `--allow-env=SKR8TR_TOWER`) and else takes `http://127.0.0.1:7772`. Should the tower
 * be gone, what was known last goes on being used: requests between apps do not depend on it.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Tower } from "@skr8tr/skr8tr";
 *
 * // A replica, and a stand-in for the tower that knows it.
 * const replica = Deno.serve({ port: 0, onListen() {} }, () => new Response("12 products"));
 * const registry = Deno.serve({ port: 0, onListen() {} }, () =>
 *   Response.json({
 *     app: "product-svc",
 *     endpoints: [{
 *       replica: "product-svc-1",
 *       host: "127.0.0.1",
 *       port: replica.addr.port,
 *       node: "node-1",
 *       generation: 1,
 *     }],
 *   }));
 *
 * const tower = new Tower(`http://127.0.0.1:${registry.addr.port}`);
 * const [endpoint] = await tower.lookup("product-svc");
 * assertEquals(endpoint?.replica, "product-svc-1");
 *
 * const response = await tower.fetch("product-svc", "/api/products");
 * assertEquals(await response.text(), "12 products");
 *
 * await Promise.all([replica.shutdown(), registry.shutdown()]);
 * ```
 */
export class Tower {
  /** `http://host:port`. */
  readonly address: string;
  readonly #addresses: readonly string[];
  #at = 0;
  readonly #options: Required<TowerOptions>;
  readonly #known = new Map<string, Known>();

  /**
   * Connects to nothing yet.
   *
   * @param address `http://host:port`, or several with commas between; default `SKR8TR_TOWER`, else `http://127.0.0.1:7772`
   */
  constructor(address?: string, options: TowerOptions = {}) {
    const chosen = address ?? Deno.env.get("SKR8TR_TOWER") ?? STANDARD_ADDRESS;
    this.#addresses = chosen.split(",").map((each) => each.trim().replace(/\/+$/, ""));
    this.address = this.#addresses.join(",");
    this.#options = { freshMs: 500, timeoutMs: 2_000, ...options };
  }

  /**
   * The ready replicas of an app; empty when there is none. Should the tower not answer, the list
   * that was known last.
   *
   * @throws {TowerError} `unreachable` if nothing is known from before, `refused`, `bad-answer`.
   */
  lookup(app: string): Promise<readonly Endpoint[]> {
    const known = this.#of(app);
    known.asking ??= this.#ask(app, known).finally(() => known.asking = null);
    return known.asking;
  }

  /**
   * The ready replicas of an app, and again whenever they change. Connects anew whenever the tower
   * is gone, and keeps what it knew meanwhile; a slow reader gets the latest list, not each one.
   * Ends when the loop is left or `signal` is aborted.
   *
   * ```ts
   * import { Tower } from "@skr8tr/skr8tr";
   *
   * async function follow(tower: Tower, signal: AbortSignal) {
   *   for await (const endpoints of tower.watch("product-svc", { signal })) {
   *     console.log(endpoints.map(({ host, port }) => `${host}:${port}`));
   *   }
   * }
   * await follow(new Tower("http://127.0.0.1:7772"), AbortSignal.abort());
   * ```
   */
  async *watch(
    app: string,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly Endpoint[], void, void> {
    const known = this.#of(app);
    const watch = new AppWatch(
      this.#addresses.map((each) => `${each.replace(/^http/, "ws")}/watch`),
      app,
    );
    const stop = () => watch.stop();
    options.signal?.addEventListener("abort", stop);
    if (options.signal?.aborted) watch.stop();
    try {
      for (;;) {
        const endpoints = await watch.next();
        if (endpoints === null) return;
        known.endpoints = endpoints;
        known.atMs = performance.now();
        yield endpoints;
      }
    } finally {
      options.signal?.removeEventListener("abort", stop);
      watch.stop();
    }
  }

  /**
   * Sends a request to a ready replica of an app, each in its turn. If that one refuses the
   * connection, the next is tried; GET, HEAD, OPTIONS, PUT and DELETE also when a connection breaks
   * before the answer has begun. A body that is a stream can be sent but once, so then the first
   * failure is final.
   *
   * @param path path and query, beginning with `/`
   * @throws {TowerError} `no-replica`, or what `lookup` throws.
   * @throws {TypeError} the failure of the last try, when it must not be repeated elsewhere.
   */
  async fetch(app: string, path: string, init: RequestInit = {}): Promise<Response> {
    if (!path.startsWith("/")) throw new TypeError(`the path must begin with /: ${path}`);
    const tried = new Set<string>();
    let failure: unknown;
    for (const list of [() => this.#fresh(app), () => this.lookup(app)]) {
      for (const endpoint of this.#inTurn(app, await list())) {
        if (tried.has(endpoint.replica)) continue;
        tried.add(endpoint.replica);
        try {
          return await fetch(`http://${hostOf(endpoint)}:${endpoint.port}${path}`, init);
        } catch (error) {
          if (!mayRepeat(error, init)) throw error;
          failure = error;
        }
      }
    }
    const why = tried.size === 0 ? "none is ready" : `none of ${tried.size} accepts a connection`;
    throw new TowerError("no-replica", `cannot reach ${app}: ${why}`, { cause: failure });
  }

  #of(app: string): Known {
    let known = this.#known.get(app);
    if (known === undefined) {
      known = { endpoints: [], atMs: -Infinity, asking: null, turn: 0 };
      this.#known.set(app, known);
    }
    return known;
  }

  /** What is known, asking for more in the background; waits only where nothing is known. */
  #fresh(app: string): Promise<readonly Endpoint[]> {
    const known = this.#of(app);
    if (performance.now() - known.atMs <= this.#options.freshMs && known.endpoints.length > 0) {
      return Promise.resolve(known.endpoints);
    }
    const asking = this.lookup(app);
    if (known.endpoints.length === 0) return asking;
    // It has an answer for this request already; what fails here is told to the next that waits.
    asking.catch(() => {});
    return Promise.resolve(known.endpoints);
  }

  #inTurn(app: string, endpoints: readonly Endpoint[]): readonly Endpoint[] {
    if (endpoints.length === 0) return [];
    const start = this.#of(app).turn++ % endpoints.length;
    return [...endpoints.slice(start), ...endpoints.slice(0, start)];
  }

  /** Asks the towers in turn, the one that answered last first. */
  async #any(path: string): Promise<Response> {
    for (let tries = 1;; tries++) {
      const url = `${this.#addresses[this.#at]}${path}`;
      try {
        return await fetch(url, { signal: AbortSignal.timeout(this.#options.timeoutMs) });
      } catch (error) {
        this.#at = (this.#at + 1) % this.#addresses.length;
        if (tries >= this.#addresses.length) throw error;
      }
    }
  }

  async #ask(app: string, known: Known): Promise<readonly Endpoint[]> {
    const path = `/lookup/${encodeURIComponent(app)}`;
    const url = `${this.address}${path}`;
    let response: Response;
    let body: unknown;
    try {
      response = await this.#any(path);
      body = await response.json();
    } catch (error) {
      if (known.atMs > -Infinity) return known.endpoints;
      const message = `the tower at ${this.address} does not answer: ${(error as Error).message}`;
      throw new TowerError("unreachable", message, { cause: error });
    }
    if (response.status === 403) {
      const message = `the tower at ${this.address} does not let this address read`;
      throw new TowerError("refused", message);
    }
    const endpoints = readEndpoints(body);
    if (endpoints === null || (response.status !== 200 && response.status !== 404)) {
      const message = `${url} answered ${response.status} and no list: is it a tower?`;
      throw new TowerError("bad-answer", message);
    }
    // A tower that has just started adds to what is known, and removes nothing yet.
    const isComplete = response.headers.get("skr8tr-complete") !== "false";
    known.endpoints = isComplete ? endpoints : merge(known.endpoints, endpoints);
    known.atMs = performance.now();
    return known.endpoints;
  }
}

/** One app's watch stream, reconnecting for ever; only the latest list waits to be read. */
class AppWatch {
  readonly #urls: readonly string[];
  readonly #app: string;
  readonly #table = new Map<string, Endpoint>();
  #stream: TowerStream | null = null;
  #said: string | null = null;
  #ready: readonly Endpoint[] | null = null;
  #wake: (() => void) | null = null;
  #stopped = false;

  constructor(urls: readonly string[], app: string) {
    this.#urls = urls.map((url) => `${url}?app=${encodeURIComponent(app)}`);
    this.#app = app;
  }

  /** The next list that differs from the last; `null` once stopped. */
  async next(): Promise<readonly Endpoint[] | null> {
    for (;;) {
      if (this.#stopped) return null;
      const ready = this.#ready;
      this.#ready = null;
      if (ready !== null) return ready;
      this.#stream ??= this.#start();
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#stream?.[Symbol.dispose]();
    this.#wake?.();
  }

  #start(): TowerStream {
    const stream: TowerStream = new TowerStream(
      (tower) => new WebSocket(this.#urls[tower]!),
      programDial(this.#urls.length),
      {
        connected: () => stream.send({ k: "hello", role: "client", name: "mod.ts" }),
        lost() {},
        heard: (text) => {
          const message = parseShaped(watchShape, text);
          if (message) this.#apply(message);
          return message !== null;
        },
      },
    );
    return stream;
  }

  #apply(message: WatchMessage): void {
    switch (message.k) {
      case "snapshot":
        if (message.complete) this.#table.clear();
        this.#add(message.endpoints);
        break;
      case "complete":
        this.#table.clear();
        this.#add(message.endpoints);
        break;
      case "delta":
        for (const replica of message.down) this.#table.delete(replica);
        this.#add(message.up);
        break;
      case "routes":
      case "figures-please":
      case "alive":
      case "figures":
      case "wake":
        return;
      default:
        message satisfies never;
    }
    const endpoints = [...this.#table.values()];
    const text = JSON.stringify(endpoints);
    if (text === this.#said) return;
    this.#said = text;
    this.#ready = endpoints;
    this.#wake?.();
  }

  #add(endpoints: readonly (Endpoint & { readonly app: string })[]): void {
    for (const { app, ...endpoint } of endpoints) {
      if (app === this.#app) this.#table.set(endpoint.replica, endpoint);
    }
  }
}

function merge(known: readonly Endpoint[], more: readonly Endpoint[]): readonly Endpoint[] {
  const byReplica = new Map(known.map((endpoint) => [endpoint.replica, endpoint]));
  for (const endpoint of more) byReplica.set(endpoint.replica, endpoint);
  return [...byReplica.values()];
}

function hostOf({ host }: Endpoint): string {
  return host.includes(":") ? `[${host}]` : host;
}

const REPEATABLE = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Whether a request that failed so may be sent to another replica. */
function mayRepeat(error: unknown, init: RequestInit): boolean {
  if (init.signal?.aborted || !(error instanceof TypeError)) return false;
  if (init.body instanceof ReadableStream) return false;
  return REPEATABLE.has((init.method ?? "GET").toUpperCase()) || neverArrived(error);
}

/**
 * Whether the connection was never made. The runtime has no code for that in 2.9, only hyper's text
 * for the phase in which it failed; `ECONNREFUSED` is how Node.js says it.
 */
function neverArrived({ cause }: TypeError): boolean {
  if (!(cause instanceof Error)) return false;
  return "code" in cause && cause.code === "ECONNREFUSED" ||
    cause.message.includes("client error (Connect)");
}

function readEndpoints(body: unknown): readonly Endpoint[] | null {
  const endpoints = (body as { endpoints?: unknown } | null)?.endpoints;
  return Array.isArray(endpoints) && endpoints.every(isEndpoint) ? endpoints : null;
}

function isEndpoint(value: unknown): value is Endpoint {
  if (typeof value !== "object" || value === null) return false;
  const { replica, host, port, node, generation } = value as Record<string, unknown>;
  return typeof replica === "string" && typeof host === "string" && typeof node === "string" &&
    Number.isInteger(port) && Number.isInteger(generation);
}
