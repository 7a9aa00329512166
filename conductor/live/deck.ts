// The deck: the conductor's dashboard, its stream, and who may look. It changes nothing.

import { getCookies, setCookie } from "@std/http/cookie";
import { isLoopback } from "../../core/address.ts";
import type { DeckSample, DeckSignIn, DeckSignOut } from "../../core/deck_view.ts";
import type { Instant } from "../../core/instant.ts";
import {
  DECK_SAMPLE_MS,
  DECK_SAMPLE_NODES,
  DECK_STATUS_MS,
  DECK_VIEWERS,
} from "../../core/limits.ts";
import { randomHex } from "../../core/live/clock.ts";
import { VERSION } from "../../core/version.ts";
import { DeckAccess, type DeckSession } from "../trust/deck_access.ts";
import { type DeckGrants, isAuditor } from "../trust/deck_grants.ts";
import { appsShown } from "../trust/deck_shown.ts";
import { History, takeSample } from "../telemetry/history.ts";
import { RouteHistory } from "../telemetry/route_history.ts";
import { routesOf } from "../routes.ts";
import type { ConductorMachine } from "../machine.ts";
import type { SsoSettings } from "../trust/sso.ts";
import { statusView } from "../views/status_view.ts";
import type { Visit } from "../trust/visits.ts";
import { Audience, Viewer } from "./deck_audience.ts";
import { DeckSso } from "./deck_sso.ts";
import type { EventHistory } from "./events.ts";

const COOKIE = "deck";
const SESSION_COOKIE = { name: COOKIE, path: "/", httpOnly: true, sameSite: "Strict" } as const;

/** Nothing but what the deck brings along runs in its page. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'";

/** Headers by which a proxy says that it is one. */
const PROXIED = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/** Past events that a viewer is told at first. */
const EVENTS_AT_FIRST = 200;

export interface DeckParts {
  readonly machine: ConductorMachine;
  readonly events: EventHistory;
  /** Absent: operators come in by their keys alone. */
  readonly sso?: {
    readonly settings: SsoSettings;
    /** Writes a sign-in into the log; resolves to why that failed, or `null`. */
    visit(visit: Visit): Promise<string | null>;
  };
  now(): Instant;
}

export class Deck implements Disposable {
  readonly access = new DeckAccess();
  readonly #parts: DeckParts;
  /** The recent past of each route. */
  readonly routes = new RouteHistory();
  /** The recent past of nodes and apps. */
  readonly past = new History();
  /** By what they are shown. */
  readonly #audiences = new Map<string, Audience>();
  readonly #sso: DeckSso | null;
  readonly #sampling: ReturnType<typeof setInterval>;
  #pending: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: DeckParts) {
    this.#parts = parts;
    this.#sso = parts.sso ? this.#openSso(parts.sso) : null;
    this.#sampling = setInterval(() => this.#sample(), DECK_SAMPLE_MS);
  }

  #openSso({ settings, visit }: NonNullable<DeckParts["sso"]>): DeckSso {
    const { events, now } = this.#parts;
    return new DeckSso({
      settings,
      now,
      visit,
      refused: (text) => events.add({ wallMs: now().wallMs, kind: "refused", text }),
      open: (session, headers) => {
        const secret = randomHex(64);
        this.access.open(secret, session, now().monoMs);
        const secure = settings.deck.startsWith("https:");
        setCookie(headers, { ...SESSION_COOKIE, value: secret, secure });
      },
    });
  }

  /** The session that the request belongs to; `null` where it has none. */
  sessionOf(request: Request): DeckSession | null {
    return this.#sessionOf(secretOf(request));
  }

  #sessionOf(secret: string | undefined): DeckSession | null {
    const { machine, now } = this.#parts;
    const { monoMs, wallMs } = now();
    const session = secret ? this.access.sessionOf(secret, monoMs) : null;
    if (session?.grants !== null) return session;
    // An operator may have been revoked meanwhile.
    const { roster, head } = machine.state;
    const why = roster.whyNot(head.sequence + 1, session.operator, "viewer", null, wallMs / 1_000);
    return why === null ? session : null;
  }

  /** Something looks different now: viewers are told soon. */
  changed(): void {
    if (this.#audiences.size === 0) return;
    this.#pending ??= setTimeout(() => {
      this.#pending = undefined;
      this.#tellChanges();
    }, DECK_STATUS_MS);
  }

  /**
   * Answers what is below `/deck`.
   *
   * @param mayRead the address may read everything without a session
   * @param from where the request comes from
   */
  async handle(request: Request, url: URL, mayRead: boolean, from: string): Promise<Response> {
    if (url.pathname === "/deck/session") return await this.#session(request);
    if (this.#sso && /^\/deck\/sso(\/|$)/.test(url.pathname)) {
      return await this.#sso.handle(request, url, from);
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("the deck is only read\n", { status: 405 });
    }
    if (url.pathname !== "/deck/stream") return await asset(url.pathname);
    const session = this.sessionOf(request);
    if (session === null && !mayRead) {
      return new Response("sign in with: skr8tr deck\n", { status: 401 });
    }
    return this.#stream(session, mayRead ? undefined : secretOf(request));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sampling);
    clearTimeout(this.#pending);
  }

  /** Opens a session for the token of a link, or ends one. */
  async #session(request: Request): Promise<Response> {
    const headers = new Headers({ "cache-control": "no-store" });
    if (request.method === "GET") {
      return Response.json({ sso: this.#sso !== null } satisfies DeckSignIn, { headers });
    }
    if (request.method === "DELETE") {
      const next = this.sessionOf(request)?.signOut;
      this.access.close(secretOf(request) ?? "");
      setCookie(headers, { ...SESSION_COOKIE, value: "", maxAge: 0 });
      return next === undefined
        ? new Response(null, { status: 204, headers })
        : Response.json({ next } satisfies DeckSignOut, { headers });
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
    setCookie(headers, { ...SESSION_COOKIE, value: secret });
    return Response.json({ operator }, { headers });
  }

  /** @param secret of the session that the stream ends with; absent: it ends with none */
  #stream(session: DeckSession | null, secret: string | undefined): Response {
    const viewers = [...this.#audiences.values()].reduce((sum, each) => sum + each.viewers.size, 0);
    if (viewers >= DECK_VIEWERS) {
      return new Response("too many look at the deck already\n", { status: 503 });
    }
    const { machine, events } = this.#parts;
    const grants = secret === undefined ? null : session?.grants ?? null;
    const key = JSON.stringify(grants);
    const audience = this.#audiences.get(key) ?? this.#audienceOf(grants);
    this.#audiences.set(key, audience);
    const mayStay = () => secret === undefined || this.#sessionOf(secret) !== null;
    let stopEvents = () => {};
    const viewer = new Viewer(mayStay, () => {
      stopEvents();
      audience.viewers.delete(viewer);
      // Told of more than once, and others may have come meanwhile.
      const isOver = audience.viewers.size === 0 && this.#audiences.get(key) === audience;
      if (isOver) this.#audiences.delete(key);
    });
    const shown = appsShown(machine.state, grants);
    viewer.send("history", {
      viewer: {
        ...(session === null ? {} : { operator: session.operator }),
        audit: isAuditor(grants),
      },
      loads: this.past.loads(),
      ...(this.past.last === null ? {} : { sample: shown.sample(this.past.last) }),
      events: events.read({ limit: EVENTS_AT_FIRST }).filter(shown.event),
    });
    audience.join(viewer);
    stopEvents = events.follow((event) => shown.event(event) && viewer.send("event", event));
    return new Response(viewer.body, {
      headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
    });
  }

  #audienceOf(grants: DeckGrants): Audience {
    const { machine, now } = this.#parts;
    return new Audience(grants, () => statusView(machine, VERSION, now(), grants));
  }

  /**
   * How nodes and apps are at this moment.
   *
   * @param nodes of so many nodes at most
   */
  look(nodes = DECK_SAMPLE_NODES): DeckSample {
    const { machine, now } = this.#parts;
    const { monoMs, wallMs } = now();
    const trafficOf = (app: string) => machine.traffic.lately(app, monoMs);
    const sample = takeSample(machine.fleet, machine.state.apps.keys(), trafficOf, wallMs, nodes);
    return { ...sample, routes: machine.routeTraffic.lately(routesOf(machine.state), monoMs) };
  }

  /** Begins the charts with what was gathered before this process, oldest first. */
  recall(samples: readonly DeckSample[]): void {
    for (const sample of samples) {
      this.past.recall(sample);
      this.routes.add(sample.wallMs, sample.routes ?? []);
    }
  }

  #sample(): void {
    const sample = this.look();
    this.past.add(sample);
    this.routes.add(sample.wallMs, sample.routes ?? []);
    const { state } = this.#parts.machine;
    for (const { grants, viewers } of this.#audiences.values()) {
      const text = JSON.stringify(appsShown(state, grants).sample(sample));
      for (const viewer of viewers) {
        if (viewer.mayStay()) viewer.sendText("sample", text);
        else viewer.end();
      }
    }
    this.#tellChanges();
  }

  #tellChanges(): void {
    for (const audience of this.#audiences.values()) audience.tellChanges();
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
  // What a proxy hands on comes from anywhere, however near the proxy is.
  if (PROXIED.some((header) => request.headers.has(header))) return false;
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return false;
  if (!isLoopback(from)) return true;
  const host = request.headers.get("host") ?? "";
  return /^(localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\])(:\d+)?$/i.test(host);
}
