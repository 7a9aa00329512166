// What the conductor answers over TCP 7771. See core/view.ts for the table.

import { inNetworks, isLoopback } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { COMMAND_BYTES, MANIFEST_BYTES } from "../../core/limits.ts";
import { canonical } from "../../core/manifest/canonical.ts";
import { parseManifest } from "../../core/manifest/parse.ts";
import type { Instant } from "../../core/instant.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import { acceptSealed, isSealRequest, peerOf, upgradeStream } from "../../core/live/sealed_http.ts";
import type { AppView } from "../../core/view.ts";
import type { ConductorMachine } from "../machine.ts";
import { fail, stream } from "./answers.ts";
import { readBelowApp } from "./app_reads.ts";
import { appView, planView } from "../views/views.ts";
import type { SecretHand } from "./secrets.ts";
import { operatorsView, quotaView, secretsView } from "../trust/trust_views.ts";
import type { ArtifactDesk } from "./artifact_desk.ts";
import { type Deck, isOwnPage } from "./deck.ts";
import { nodeDetail, volumeViews } from "../fleet/node_views.ts";
import type { DeckGrants } from "../trust/deck_grants.ts";
import { appsShown } from "../trust/deck_shown.ts";
import { parseQuestion, whatIf } from "../placement/what_if.ts";
import type { LogStore } from "../../core/log.ts";
import type { AuditReader } from "./audit.ts";
import { type EventHistory, isRefusal } from "./events.ts";
import type { Followers } from "./follow.ts";
import { readAudit, readEvents, readLogs, streamLog } from "./followed_reads.ts";
import { isForLeader, type Leads, standbyAnswer } from "./standby.ts";
import { answerList } from "./lists.ts";
import { readShown } from "./shown_reads.ts";
import type { StreamRelay } from "./streams.ts";
import type { MemberDesk } from "./members.ts";
import type { Telemetry } from "./telemetry.ts";
import { readTelemetry } from "./telemetry_reads.ts";

export interface HttpParts {
  readonly machine: ConductorMachine;
  readonly events: EventHistory;
  readonly deck: Deck;
  /** `null` where nothing is gathered. */
  readonly telemetry: Telemetry | null;
  readonly followers: Followers;
  readonly secrets: SecretHand;
  readonly audit: AuditReader;
  readonly store: LogStore;
  readonly artifacts: ArtifactDesk;
  readonly streams: StreamRelay;
  readonly plain: readonly string[];
  /** Who may come in and who is who; absent in tests. */
  readonly members?: MemberDesk;
  /** How nodes are asked. */
  readonly seal?: Seal;
  now(): Instant;
  /** Hands in a signed command; resolves to its reply, or `null` where it gets none. */
  command(text: string, address: string): Promise<string | null>;
  /** Calls back after every change of the app; returns how to stop that. */
  watch(app: string, changed: () => void): () => void;
  metrics(): Promise<string>;
  /** Whether this conductor leads, and who does. */
  leads(): Leads;
}

/** The handler, as a function of the request and of where it comes from. */
export function httpHandler(
  parts: HttpParts,
): (request: Request, from: string) => Promise<Response> {
  const { members } = parts;
  const handler = async (request: Request, from: string): Promise<Response> => {
    if (members && isSealRequest(request)) {
      return acceptSealed(request, members, (inner) => handler(inner, from));
    }
    const url = new URL(request.url);
    if (url.pathname === "/leader") return Response.json(parts.leads());
    const { leads, ...standing } = parts.leads();
    if (!leads && isForLeader(request.method, url.pathname)) {
      return standbyAnswer({ leads, ...standing });
    }
    const membership = members?.handle(request, url, from);
    if (membership) return await membership;
    if (url.pathname === "/command") return await takeCommand(parts, request, from);
    if (url.pathname === "/health") return new Response("ok\n");
    if (url.pathname === "/standby") return await parts.artifacts.hear(request);
    // No page of a browser can set up a sealed session.
    const isOwn = peerOf(request) !== undefined || isOwnPage(request, from);
    const isNear = (isLoopback(from) || inNetworks(from, parts.plain)) && isOwn;
    if (url.pathname === "/deck" || url.pathname.startsWith("/deck/")) {
      return await parts.deck.handle(request, url, isNear, from);
    }
    const session = parts.deck.sessionOf(request);
    const mayRead = isNear || members?.mayRead(request) || session?.grants === null;
    const forNodes = url.pathname === "/follow" ||
      (request.method === "GET" && url.pathname.startsWith("/artifacts/"));
    if (!mayRead && session?.grants) return await readShown(parts, request, url, session.grants);
    if (!mayRead && !(forNodes && members?.isNode(request))) {
      return fail(403, "reads are answered to loopback and to the networks given by --plain");
    }
    if (url.pathname === "/follow") return follow(parts, request, url);
    if (url.pathname === "/stream") return parts.streams.accept(request, from);
    if (url.pathname === "/metrics") {
      return new Response(await parts.metrics(), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    }
    if (url.pathname.startsWith("/artifacts/")) {
      const sha256 = url.pathname.slice("/artifacts/".length);
      return await parts.artifacts.store.answer(request, sha256, url);
    }
    if (url.pathname === "/api/plan") return await plan(parts, request);
    if (request.method !== "GET") return fail(405, `${request.method} is not known here`);
    return read(parts, url);
  };
  return handler;
}

/** @param grants what is shown, where that is not everything */
export async function read(
  parts: HttpParts,
  url: URL,
  grants: DeckGrants = null,
): Promise<Response> {
  const { machine } = parts;
  const [api, kind, name, ...more] = url.pathname.slice(1).split("/");
  if (api !== "api") return fail(404, `nothing is at ${url.pathname}`);
  if (kind === "apps" && more.length > 0) {
    const app = machine.state.apps.get(name ?? "");
    if (!app) return noApp(parts, name ?? "");
    const answer = await readBelowApp(parts, app, more);
    return answer ?? fail(404, `nothing is at ${url.pathname}`);
  }
  if (kind === "telemetry") {
    return await readTelemetry(parts, name === undefined ? [] : [name, ...more], url, grants);
  }
  if (more.length > 0) return fail(404, `nothing is at ${url.pathname}`);
  const list = name === undefined ? answerList(parts, kind ?? "", url, grants) : null;
  if (list) return list;
  switch (kind) {
    case "sample":
      return Response.json(appsShown(machine.state, grants).sample(parts.deck.look()));
    case "load":
      return readLoad(parts, url);
    case "traffic":
    case "routes":
      return readRequests(parts, kind, url, grants);
    case "nodes":
      return oneNode(parts, name!, url);
    case "volumes":
      return Response.json({ volumes: volumeViews(machine) });
    case "what-if":
      return readWhatIf(parts, url);
    case "apps":
      return oneApp(parts, name!, url);
    case "secrets":
      return Response.json(secretsView(machine.state));
    case "secret-key":
      return await secretKey(parts);
    case "audit":
      return await readAudit(parts, url, grants);
    case "log":
      return streamLog(parts.store, Number(url.searchParams.get("from") ?? 0));
    case "operators":
      return Response.json(operatorsView(machine.state));
    case "quotas":
      return isName(name ?? "")
        ? Response.json(quotaView(machine.state, name!))
        : fail(404, `${name ?? "nothing"} is no name of a namespace`);
    case "events":
      return readEvents(parts, url, grants);
    case "logs":
      return readLogs(parts, name ?? "", url);
    default:
      return fail(404, `nothing is at ${url.pathname}`);
  }
}

async function secretKey({ secrets }: HttpParts): Promise<Response> {
  try {
    return Response.json({ publicKey: await secrets.publicKey() });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return fail(503, error.message);
  }
}

/** Says whether an app or a namespace can have this name. */
function isName(text: string): boolean {
  return /^[a-z][a-z0-9-]{0,62}$/.test(text);
}

/** Nothing is known of the app, unless what was said of it last was refused. */
function noApp(parts: HttpParts, name: string): Response {
  const [refused] = isName(name)
    ? parts.events.read({ app: name, limit: 20 }).filter(isRefusal).slice(-1)
    : [];
  const hint = refused ? `; what was asked last was refused: ${refused.text}` : "";
  return fail(404, `no app is named ${name}${hint}; skr8tr list shows what runs`);
}

async function takeCommand(parts: HttpParts, request: Request, from: string): Promise<Response> {
  if (request.method !== "POST") return fail(405, "POST a signed command");
  const text = await readBody(request, COMMAND_BYTES);
  if (text === null) return fail(413, `a command has at most ${COMMAND_BYTES} bytes of UTF-8`);
  // As in datagrams: no command has one, and programs that it is handed to may stop there.
  if (text.includes("\0")) return fail(400, "a command has no NUL in it");
  const reply = await parts.command(text, from);
  // It led when the command came in, and does not any more: whether it was done is for the next.
  if (reply === null && !parts.leads().leads) return standbyAnswer(parts.leads());
  return reply === null ? fail(403, "no answer") : new Response(`${reply}\n`);
}

/** The body as text, or `null` where it is longer than `maxBytes`, not UTF-8, or broken off. */
async function readBody(request: Request, maxBytes: number): Promise<string | null> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > maxBytes) return null;
      chunks.push(chunk);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(
      new Uint8Array(await new Blob(chunks).arrayBuffer()),
    );
  } catch {
    return null;
  }
}

async function plan(parts: HttpParts, request: Request): Promise<Response> {
  if (request.method !== "POST") return fail(405, "POST a manifest");
  const text = await readBody(request, MANIFEST_BYTES);
  if (text === null) return fail(413, `a manifest has at most ${MANIFEST_BYTES} bytes of UTF-8`);
  const parsed = parseManifest(text);
  if (!parsed.ok) return Response.json({ errors: parsed.errors }, { status: 400 });
  const manifests = parsed.apps.map((spec) => ({ spec, manifest: canonical(spec) }));
  return Response.json(planView(parts.machine, manifests, parts.now()));
}

function oneApp(parts: HttpParts, name: string, url: URL): Response {
  const { machine } = parts;
  const app = machine.state.apps.get(name);
  if (url.searchParams.get("watch") !== "1") {
    return app ? Response.json(appView(machine, app, parts.now())) : noApp(parts, name);
  }
  return stream((send) => {
    let last = "";
    const look = () => {
      const known = machine.state.apps.get(name);
      if (!known) return;
      const view: AppView = appView(machine, known, parts.now());
      const text = JSON.stringify(view);
      if (text !== last) send(text);
      last = text;
    };
    look();
    return parts.watch(name, look);
  });
}

/** The watchers of this are told of every change of every app. */
export const ANY_APP = "*";

function oneNode(parts: HttpParts, named: string, url: URL): Response {
  const { machine } = parts;
  const view = () => nodeDetail(machine, decodeURIComponent(named), parts.now());
  const first = view();
  if (!first) return fail(404, `no node is named ${named}; skr8tr nodes shows them`);
  if (url.searchParams.get("watch") !== "1") return Response.json(first);
  return stream((send) => {
    let last = "";
    const look = () => {
      const now = view();
      // Load changes all the time, and is not what is waited for.
      const text = JSON.stringify([now?.placed, now?.node.state, now?.node.bar]);
      if (now && text !== last) send(JSON.stringify(now));
      last = text;
    };
    look();
    return parts.watch(ANY_APP, look);
  });
}

/** The past of a node's load, which everybody is shown who sees the deck. */
function readLoad({ machine, deck }: HttpParts, url: URL): Response {
  const name = url.searchParams.get("node");
  if (name === null) return fail(400, "name a node: ?node=NAME");
  const isKnown = machine.fleet.values().some((node) => node.name === name);
  if (!isKnown) return fail(404, `no node is named ${name}; skr8tr nodes shows them`);
  return Response.json(deck.past.load(name));
}

/** The past of an app's requests, all together or by route. */
function readRequests(
  { machine, deck }: HttpParts,
  kind: "traffic" | "routes",
  url: URL,
  grants: DeckGrants,
): Response {
  const app = url.searchParams.get("app");
  if (app === null) return fail(400, "name an app: ?app=NAME");
  if (!machine.state.apps.has(app) || !appsShown(machine.state, grants).app(app)) {
    return fail(404, `no app is named ${app}; skr8tr list shows what runs`);
  }
  if (kind === "traffic") return Response.json(deck.past.traffic(app));
  return Response.json(deck.routes.of(app, url.searchParams.get("route") ?? undefined));
}

function readWhatIf(parts: HttpParts, url: URL): Response {
  const question = parseQuestion(url.searchParams);
  if ("error" in question) return fail(400, question.error);
  const answer = whatIf(parts.machine, question, parts.now());
  return "error" in answer ? fail(404, answer.error) : Response.json(answer);
}

function follow(parts: HttpParts, request: Request, url: URL): Response {
  const [from, last] = ["from", "last"].map((name) => Number(url.searchParams.get(name) ?? 0));
  if (![from, last].every((each) => Number.isSafeInteger(each) && each! >= 0)) {
    return fail(400, "from and last must be sequences");
  }
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return fail(426, "/follow speaks WebSocket");
  }
  const { socket, response } = upgradeStream(request);
  parts.followers.serve(
    socket,
    from!,
    last!,
    (asked) => parts.secrets.answer(asked, peerOf(request)?.node),
  );
  return response;
}
