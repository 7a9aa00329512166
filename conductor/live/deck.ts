// The deck: the conductor's dashboard, its stream, and who may look. It changes nothing.

import { getCookies, setCookie } from "@std/http/cookie";
import { ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { isLoopback } from "../../core/address.ts";
import type { DeckMessages, DeckSample } from "../../core/deck_view.ts";
import type { Instant } from "../../core/instant.ts";
import { DECK_SAMPLE_MS, DECK_STATUS_MS, DECK_VIEWERS } from "../../core/limits.ts";
import { randomHex } from "../../core/live/clock.ts";
import type { EventView } from "../../core/view.ts";
import { VERSION } from "../../core/version.ts";
import { DeckAccess } from "../deck_access.ts";
import { History, takeSample } from "../history.ts";
import type { ConductorMachine } from "../machine.ts";
import { statusView } from "../views.ts";
import type { EventHistory } from "./events.ts";

const COOKIE = "deck";

/** Nothing but what the deck brings along runs in its page. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'";

/** Past events that a viewer is told at first. */
const EVENTS_AT_FIRST = 200;

export interface DeckParts {
  readonly machine: ConductorMachine;
  readonly events: EventHistory;
  now(): Instant;
}

type Send = <K extends keyof DeckMessages>(name: K, message: DeckMessages[K]) => void;

export class Deck implements Disposable {
  readonly access = new DeckAccess();
  readonly #parts: DeckParts;
  readonly #history = new History();
  readonly #viewers = new Set<Send>();
  readonly #sampling: ReturnType<typeof setInterval>;
  #pending: ReturnType<typeof setTimeout> | undefined;
  #told = "";

  constructor(parts: DeckParts) {
    this.#parts = parts;
    this.#sampling = setInterval(() => this.#sample(), DECK_SAMPLE_MS);
  }

  /** Whose session the request belongs to; `null` where it has none. */
  operatorOf(request: Request): string | null {
    const secret = secretOf(request);
    return secret ? this.access.operatorOf(secret, this.#parts.now().monoMs) : null;
  }

  /** Something looks different now: viewers are told soon. */
  changed(): void {
    if (this.#viewers.size === 0) return;
    this.#pending ??= setTimeout(() => {
      this.#pending = undefined;
      this.#tellStatus();
    }, DECK_STATUS_MS);
  }

  /**
   * Answers what is below `/deck`.
   *
   * @param mayRead the address may read without a session
   */
  async handle(request: Request, url: URL, mayRead: boolean): Promise<Response> {
    if (url.pathname === "/deck/session") return await this.#session(request);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("the deck is only read\n", { status: 405 });
    }
    if (url.pathname !== "/deck/stream") return await asset(url.pathname);
    const operator = this.operatorOf(request);
    if (operator === null && !mayRead) {
      return new Response("sign in with: skr8tr deck\n", { status: 401 });
    }
    return this.#stream(operator);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sampling);
    clearTimeout(this.#pending);
  }

  /** Opens a session for the token of a link, or ends one. */
  async #session(request: Request): Promise<Response> {
    const headers = new Headers({ "cache-control": "no-store" });
    const cookie = { name: COOKIE, path: "/", httpOnly: true, sameSite: "Strict" } as const;
    if (request.method === "DELETE") {
      this.access.close(secretOf(request) ?? "");
      setCookie(headers, { ...cookie, value: "", maxAge: 0 });
      return new Response(null, { status: 204, headers });
    }
    if (request.method !== "POST") return new Response("POST a token\n", { status: 405, headers });
    const length = Number(request.headers.get("content-length") ?? Infinity);
    const token = length <= 128 ? await request.text() : "";
    const secret = randomHex(64);
    const operator = this.access.redeem(token, secret, this.#parts.now().monoMs);
    if (operator === null) {
      const text = "this link was used or is too old; skr8tr deck makes another\n";
      return new Response(text, { status: 403, headers });
    }
    setCookie(headers, { ...cookie, value: secret });
    return Response.json({ operator }, { headers });
  }

  #stream(operator: string | null): Response {
    if (this.#viewers.size >= DECK_VIEWERS) {
      return new Response("too many look at the deck already\n", { status: 503 });
    }
    const { machine, events } = this.#parts;
    const { readable, writable } = new ServerSentEventStream();
    const writer = writable.getWriter();
    const end = () => {
      this.#viewers.delete(send);
      stopEvents();
    };
    const send: Send = (event, message) => {
      // A viewer that does not read is cut off: its browser comes again by itself.
      if (event !== "history" && (writer.desiredSize ?? 0) < -DECK_VIEWERS) {
        end();
        return void writer.abort("the viewer reads too slowly").catch(() => {});
      }
      writer.write({ event, data: JSON.stringify(message) }).catch(() => {});
    };
    writer.closed.catch(() => {}).finally(end);
    this.#viewers.add(send);
    const stopEvents = events.follow((event) => send("event", event));
    send("history", {
      viewer: operator === null ? {} : { operator },
      samples: this.#history.samples(),
      events: Array.from(events.read({ limit: EVENTS_AT_FIRST }), (event: EventView) => event),
    });
    send("status", statusView(machine, VERSION, this.#parts.now()));
    return new Response(readable, {
      headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
    });
  }

  /** How nodes and apps are at this moment. */
  look(): DeckSample {
    const { machine, now } = this.#parts;
    const { monoMs, wallMs } = now();
    const trafficOf = (app: string) => machine.traffic.lately(app, monoMs);
    return takeSample(machine.fleet, machine.state.apps.keys(), trafficOf, wallMs);
  }

  #sample(): void {
    const sample = this.look();
    this.#history.add(sample);
    for (const send of this.#viewers) send("sample", sample);
    if (this.#viewers.size > 0) this.#tellStatus();
  }

  #tellStatus(): void {
    const status = statusView(this.#parts.machine, VERSION, this.#parts.now());
    // How long ago a node was heard changes all the time and is no news.
    const text = JSON.stringify([
      status.sequence,
      status.apps,
      status.problems,
      status.nodes.map(
        ({ name, state, replicas, reason }) => [name, state, replicas, reason],
      ),
    ]);
    if (text === this.#told) return;
    this.#told = text;
    for (const send of this.#viewers) send("status", status);
  }
}

/** The secret of the request's session; a header that is no list of cookies holds none. */
function secretOf(request: Request): string | undefined {
  try {
    return getCookies(request.headers)[COOKIE];
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A file of the deck, as it was built; the page itself for `/deck` and `/deck/`. */
async function asset(path: string): Promise<Response> {
  const { ASSETS } = await import("./deck_assets.ts");
  const name = path === "/deck" || path === "/deck/" ? "index.html" : path.slice("/deck/".length);
  const found = ASSETS[name];
  if (!found) return new Response(`nothing is at ${path}\n`, { status: 404 });
  const headers = new Headers({
    "content-type": found.type,
    "content-encoding": "gzip",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": name === "index.html" ? "no-cache" : "max-age=31536000, immutable",
  });
  return new Response(Uint8Array.fromBase64(found.gzip), { headers });
}

/**
 * Says whether a browser came here on its own account: not a page of another site that makes it
 * ask, and not by a name that somebody else's DNS let point here.
 */
export function isOwnPage(request: Request, from: string): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return false;
  if (!isLoopback(from)) return true;
  const host = request.headers.get("host") ?? "";
  return /^(localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\])(:\d+)?$/i.test(host);
}
