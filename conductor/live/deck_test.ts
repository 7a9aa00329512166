import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildDeck, compressedBytes, moduleOf } from "../deck/build.ts";
import { sha256Hex } from "../../core/bytes.ts";
import type { DeckMessages } from "../../core/deck_view.ts";
import { DECK_SAMPLE_MS, DECK_SAMPLES } from "../../core/limits.ts";
import { now } from "../../core/live/clock.ts";
import { type StatusChanges, withChanges } from "../../core/status_changes.ts";
import type { StatusView } from "../../core/view.ts";
import { ALICE, MALLORY, manifestOf, Rig } from "../rig_test.ts";
import { Deck, isOwnPage } from "./deck.ts";
import { ASSETS } from "./deck_assets.ts";
import { EventHistory } from "./events.ts";
import { type HttpParts, read } from "./http.ts";
import { readShown } from "./shown_reads.ts";
import { apply, id, post, signed, withConductor, withFolder } from "./rig_test.ts";

/** A client that stands at another address than the conductor's loopback neighbours would. */
async function tokenOf(url: string): Promise<string> {
  const token = id() + id();
  assertEquals(await post(url, signed(`DECK|${id()}|${sha256Hex(token)}`)), "OK|DECK");
  return token;
}

/** Reads server-sent events until one of this name came; its data. */
async function readUntil(response: Response, name: string): Promise<unknown> {
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    const found = text.match(new RegExp(`event:${name}\\ndata:(.*)\\n`));
    if (found) return JSON.parse(found[1]!);
  }
  throw new Error(`the stream ended without ${name}: ${text}`);
}

Deno.test("the deck that the conductor serves is the deck that the sources make", async () => {
  const assets = await buildDeck();
  assertEquals(Object.keys(ASSETS), [...assets.keys()], "run: deno task deck");
  assert(
    moduleOf(assets) === await Deno.readTextFile(new URL("deck_assets.ts", import.meta.url)),
    "conductor/live/deck_assets.ts is out of date; run: deno task deck",
  );
  assert(compressedBytes(assets) <= 60_000, "all of the deck is at most 60 KB gzipped");
});

Deno.test("the deck's page names its files, and nothing else may run in it", async () => {
  await withConductor(async (_, url) => {
    const page = await fetch(`${url}/deck`);
    assertStringIncludes(page.headers.get("content-security-policy")!, "default-src 'none'");
    const html = await page.text();
    const names = [...html.matchAll(/(?:src|href)="(\/deck\/[^"]+)"/g)].map((found) => found[1]!);
    assertEquals(names.length, 4);
    for (const name of names) {
      const file = await fetch(url + name);
      assertEquals(file.status, 200, name);
      assertStringIncludes(file.headers.get("cache-control")!, "immutable");
      await file.body?.cancel();
    }
    for (const name of ["/deck/none.js", "/deck/../log.db", "/deck/__proto__"]) {
      assertEquals((await fetch(url + name)).status, 404, name);
    }
  });
});

Deno.test("the deck's stream tells what was, what is, and what happens", async () => {
  await withConductor(async (_, url) => {
    const history = await readUntil(await fetch(`${url}/deck/stream`), "history");
    assertEquals((history as { viewer: unknown }).viewer, { audit: true });
    const stream = await fetch(`${url}/deck/stream`);
    const told = readUntil(stream, "event");
    await tokenOf(url);
    assertMatch(((await told) as { text: string }).text, /look at the deck$/);
    const status = await readUntil(await fetch(`${url}/deck/stream`), "status");
    assert((status as { sequence: number }).sequence >= 1);
  });
});

Deno.test("the deck's stream tells the whole status once, then what has changed", async () => {
  await withConductor(async (_, url) => {
    assertMatch(await post(url, apply("first")), /^OK/);
    const stream = await fetch(`${url}/deck/stream`);
    let text = "";
    let status: StatusView | null = null;
    for await (const part of stream.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      const messages = text.split("\n\n");
      text = messages.pop()!;
      for (const message of messages) {
        const [, event, data] = /^event:(\w+)\ndata:(.*)$/s.exec(message) ?? [];
        if (event === "status") {
          assert(status === null, "the whole is told once");
          status = JSON.parse(data!) as StatusView;
          assertEquals(status.apps.map(({ app }) => app), ["first"]);
          assertMatch(await post(url, apply("second")), /^OK/);
        } else if (event === "changes") {
          const changes = JSON.parse(data!) as StatusChanges;
          assert(!changes.apps?.changed.some(({ app }) => app === "first"), "it is as it was");
          status = withChanges(status!, changes);
        }
      }
      if (status?.apps.length === 2) break;
    }
    assertEquals(status?.apps.map(({ app }) => app), ["first", "second"]);
  });
});

Deno.test("a link of skr8tr deck opens one session, which signing out ends", async () => {
  await withConductor(async (_, url) => {
    const token = await tokenOf(url);
    const redeem = (body: string) => fetch(`${url}/deck/session`, { method: "POST", body });
    const wrong = await redeem("0".repeat(24));
    assertEquals(wrong.status, 403);
    assertStringIncludes(await wrong.text(), "skr8tr deck");
    const right = await redeem(token);
    assertEquals(right.status, 200);
    const { operator } = await right.json();
    const cookie = right.headers.get("set-cookie")!;
    assertStringIncludes(cookie, "HttpOnly");
    assertStringIncludes(cookie, "SameSite=Strict");
    assertEquals((await redeem(token)).status, 403, "a link is used once");

    const headers = { cookie: cookie.split(";")[0]! };
    const viewerOf = async () =>
      (await readUntil(await fetch(`${url}/deck/stream`, { headers }), "history") as {
        viewer: { operator?: string; audit: boolean };
      }).viewer;
    assertEquals(await viewerOf(), { operator, audit: true });
    await fetch(`${url}/deck/session`, { method: "DELETE", headers });
    assertEquals(await viewerOf(), { audit: true });
  });
});

Deno.test("a link's token that nobody signed for opens nothing, and none is kept in the log", async () => {
  await withConductor(async (_, url, folder) => {
    const token = await tokenOf(url);
    assertEquals((await fetch(`${url}/deck/session`, { method: "POST", body: id() })).status, 403);
    const kept = await Deno.readFile(`${folder}/log.db-wal`);
    assert(!new TextDecoder("latin1").decode(kept).includes(token));
  });
});

Deno.test("from afar the deck's stream is for those who have signed in, its page for everybody", async () => {
  await withFolder(async (folder) => {
    const events = new EventHistory(`${folder}/events.db`);
    using deck = new Deck({ machine: new Rig().machine, events, now });
    const ask = async (path: string, cookie = "") => {
      const request = new Request(`http://x${path}`, { headers: { cookie } });
      const response = await deck.handle(request, new URL(request.url), false, "203.0.113.5");
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await ask("/deck"), 200);
    assertEquals(await ask("/deck/stream"), 401);
    for (const cookie of ["deck=guessed", "=", "deck", ";;=;", "a=b; =deck"]) {
      assertEquals(await ask("/deck/stream", cookie), 401, cookie);
    }
    deck.access.open("secret", { operator: "ann", grants: null }, now().monoMs);
    assertEquals(await ask("/deck/stream", "deck=secret"), 200);
    events.close();
  });
});

Deno.test("an operator who is no more loses the session, and the stream that is open", async () => {
  await withFolder(async (folder) => {
    const events = new EventHistory(`${folder}/events.db`);
    const roots = [{ key: ALICE, publicKey: new Uint8Array(1_952) }];
    using deck = new Deck({ machine: new Rig({ roots }).machine, events, now });
    const open = async (cookie: string) => {
      const request = new Request("http://x/deck/stream", { headers: { cookie } });
      return await deck.handle(request, new URL(request.url), false, "203.0.113.5");
    };
    deck.access.open("alice", { operator: ALICE, grants: null }, now().monoMs);
    deck.access.open("gone", { operator: MALLORY, grants: null }, now().monoMs);
    const refused = await open("deck=gone");
    assertEquals(refused.status, 401);
    await refused.body?.cancel();
    const stream = await open("deck=alice");
    assertEquals(stream.status, 200);
    deck.access.close("alice");
    for await (const part of stream.body!) void part;
    events.close();
  });
});

/** The first message of a stream in a cluster of so many nodes, 256 apps and a full past, in bytes. */
async function firstMessageBytes(count: number): Promise<number> {
  let bytes = 0;
  await withFolder(async (folder) => {
    const events = new EventHistory(`${folder}/events.db`);
    using deck = new Deck({ machine: new Rig().machine, events, now });
    const names = Array.from({ length: count }, (_, at) => `node-${at}.rack-7.east.example`);
    const traffic = { requestsPerSecond: 123.4, errorsPerSecond: 0.123, inFlight: 12 };
    const app = { ...traffic, p50Ms: 1.234, p95Ms: 12.34, p99Ms: 123.4 };
    const apps = Object.fromEntries(names.slice(0, 256).map((_, at) => [`app-${at}`, app]));
    const routes = names.slice(0, 256).map((_, at) => ({
      app: `app-${at}`,
      route: "/api",
      ...app,
    }));
    for (let at = 0; at < DECK_SAMPLES; at++) {
      const load = { cpuPercent: 10 + at % 90, ramPercent: 10 + at % 90 };
      const nodes = Object.fromEntries(names.map((name) => [name, load]));
      deck.past.add({ wallMs: 1_790_000_000_000 + at * DECK_SAMPLE_MS, nodes, apps, routes });
    }
    const request = new Request("http://x/deck/stream");
    const url = new URL(request.url);
    const response = await deck.handle(request, url, true, "127.0.0.1");
    const history = await readUntil(response, "history") as DeckMessages["history"];
    assertEquals(Object.keys(history.loads.nodes).length, count, "every node is told of");
    events.close();
    bytes = JSON.stringify(history).length;
  });
  return bytes;
}

Deno.test("what a viewer of the deck is told first is small, however large the cluster is", async () => {
  for (const [nodes, most] of [[256, 128_000], [1_000, 300_000]] as const) {
    const bytes = await firstMessageBytes(nodes);
    assert(bytes <= most, `of ${nodes} nodes the first message has ${bytes} bytes`);
  }
});

Deno.test("the past of a node and of an app is told where it is asked for", async () => {
  await withFolder(async (folder) => {
    const events = new EventHistory(`${folder}/events.db`);
    const rig = new Rig();
    rig.addNode(1);
    rig.apply("shop", manifestOf("shop", ["namespace front"]));
    using deck = new Deck({ machine: rig.machine, events, now });
    const { name } = rig.machine.fleet.values().next().value!;
    const traffic = { requestsPerSecond: 2, errorsPerSecond: 0, p50Ms: 3, p95Ms: 5, p99Ms: 8 };
    deck.past.add({
      wallMs: 1_000,
      nodes: { [name]: { cpuPercent: 40, ramPercent: 60 } },
      apps: { shop: { ...traffic, inFlight: 1 } },
    });
    const ask = async (path: string, namespace?: string) => {
      const url = new URL(`http://x/api/${path}`);
      const parts = { machine: rig.machine, deck, events, now } as unknown as HttpParts;
      const response = namespace === undefined
        ? await read(parts, url)
        : await readShown(parts, new Request(url), url, [{
          role: "viewer",
          namespaces: [namespace],
        }]);
      return response.ok ? await response.json() : response.status;
    };
    const load = { wallMs: [1_000], nodes: { [name]: { cpuPercent: [40], ramPercent: [60] } } };
    assertEquals(await ask(`load?node=${name}`), load);
    assertEquals(await ask(`load?node=${name}`, "bank"), load);
    assertEquals([await ask("load?node=none"), await ask("load")], [404, 400]);
    const past = {
      ...{ app: "shop", wallMs: [1_000], requestsPerSecond: [2], errorsPerSecond: [0] },
      ...{ p50Ms: [3], p95Ms: [5] },
    };
    assertEquals(await ask("traffic?app=shop"), past);
    assertEquals(await ask("traffic?app=shop", "front"), past);
    assertEquals(await ask("traffic?app=shop", "bank"), 404);
    assertEquals([await ask("traffic?app=none"), await ask("traffic")], [404, 400]);
    events.close();
  });
});

Deno.test("the past of an app's routes is told to who may see the app", async () => {
  await withFolder(async (folder) => {
    const events = new EventHistory(`${folder}/events.db`);
    const rig = new Rig();
    using deck = new Deck({ machine: rig.machine, events, now });
    rig.apply("shop", manifestOf("shop", ["namespace front"]));
    const figures = { requestsPerSecond: 2, errorsPerSecond: 0, p50Ms: 3, p95Ms: 5, p99Ms: 8 };
    deck.routes.add(1_000, [
      { app: "shop", route: "/", ...figures },
      { app: "shop", route: "/api", ...figures },
    ]);
    const ask = async (query: string, namespace?: string) => {
      const grants = namespace === undefined
        ? null
        : [{ role: "viewer", namespaces: [namespace] }] as const;
      const parts = { machine: rig.machine, deck, events, now } as unknown as HttpParts;
      const response = await read(parts, new URL(`http://x/api/routes${query}`), grants);
      return response.ok ? await response.json() : response.status;
    };
    const api = {
      ...{ app: "shop", route: "/api", requestsPerSecond: [2], errorsPerSecond: [0] },
      ...{ p50Ms: [3], p99Ms: [8] },
    };
    assertEquals(await ask("?app=shop&route=/api"), { wallMs: [1_000], routes: [api] });
    assertEquals((await ask("?app=shop", "front")).routes.length, 2);
    assertEquals(await ask("?app=shop", "bank"), 404);
    assertEquals(await ask("?app=none"), 404);
    assertEquals(await ask(""), 400);
    events.close();
  });
});

Deno.test("isOwnPage() refuses pages of other sites and names that others point at loopback", () => {
  const request = (headers: Record<string, string>) => new Request("http://x/deck", { headers });
  const cases: [Record<string, string>, string, boolean][] = [
    [{ host: "127.0.0.1:7771" }, "127.0.0.1", true],
    [{ host: "localhost:7771", "sec-fetch-site": "same-origin" }, "127.0.0.1", true],
    [{ host: "[::1]:7771", "sec-fetch-site": "none" }, "::1", true],
    [{ host: "127.0.0.1:7771", "sec-fetch-site": "cross-site" }, "127.0.0.1", false],
    [{ host: "evil.example:7771" }, "127.0.0.1", false],
    [{ host: "conductor.example:7771" }, "10.0.0.7", true],
    [{ host: "127.0.0.1:7771", "x-forwarded-for": "203.0.113.5" }, "127.0.0.1", false],
    [{ host: "10.0.0.1:7771", via: "1.1 proxy" }, "10.0.0.7", false],
    [{ host: "10.0.0.1:7771", "sec-fetch-site": "same-site" }, "10.0.0.7", false],
  ];
  for (const [headers, from, own] of cases) {
    assertEquals(isOwnPage(request(headers), from), own, JSON.stringify(headers));
  }
});
