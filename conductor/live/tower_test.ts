import { assert, assertEquals } from "@std/assert";
import { showAddress } from "../../core/address.ts";
import { WATCH_SILENT_ASKED_MS } from "../../core/limits.ts";
import type { Route, WatcherMessage } from "../../core/mesh.ts";
import type { ConductorEvent } from "../effects.ts";
import { TowerLinks } from "./towers.ts";

const HOST = "127.0.41.9";

const ROUTES: Route[] = [{ app: "web", path: "/", sticky: false, weight: 100, tlsRequired: false }];

/** Waits for at most ten seconds. */
async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("nothing came within 10 s")), 10_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A tower that only listens, and says that it is there unless it stands still. */
function openTower() {
  const heard: WatcherMessage[] = [];
  let still: PromiseWithResolvers<void> | null = null;
  let more = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: HOST, port: 0, onListen: () => {} }, async (request) => {
    await still?.promise;
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      if (still) return;
      const message: WatcherMessage = JSON.parse(data);
      heard.push(message);
      if (message.k === "hello" || message.k === "ping") socket.send('{"k":"alive"}');
      more.resolve();
      more = Promise.withResolvers();
    };
    return response;
  });
  return {
    address: server.addr as Deno.NetAddr,
    /** Its streams stand, and nothing is done with what comes, until it is to go on. */
    standStill(): void {
      still = Promise.withResolvers();
    },
    goOn(): void {
      still?.resolve();
      still = null;
    },
    /** The first message of this kind. */
    async first(k: WatcherMessage["k"]): Promise<WatcherMessage> {
      for (;;) {
        const found = heard.find((each) => each.k === k);
        if (found) return found;
        await within(more.promise);
      }
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("a tower hears which nodes are dead from whoever begins to lead, who knew it before", async () => {
  await using tower = openTower();
  using links = new TowerLinks([tower.address], () => {});
  const nodes = ["f".repeat(32)];
  links.lost(nodes);
  links.open(7);
  assertEquals(await tower.first("lost"), { k: "lost", nodes, term: 7 });
});

Deno.test("a tower keeps its routes until whoever begins to lead has published its own", async () => {
  await using tower = openTower();
  using links = new TowerLinks([tower.address], () => {});
  links.open(7);
  // The stream stands, and the entry that the term begins with is not in the log yet.
  await tower.first("hello");
  links.lost(["f".repeat(32)]);
  await tower.first("lost");
  links.publish(ROUTES);
  assertEquals(await tower.first("publish"), { k: "publish", routes: ROUTES, term: 7 });
});

Deno.test("a tower whose stream stands and carries nothing is not heard, until it goes on", async () => {
  await using tower = openTower();
  const events: ConductorEvent[] = [];
  let more = Promise.withResolvers<void>();
  using links = new TowerLinks([tower.address], (event) => {
    events.push(event);
    more.resolve();
    more = Promise.withResolvers();
  });
  const nth = async (count: number) => {
    while (events.length < count) await within(more.promise);
    return events[count - 1]!;
  };
  links.open(7);
  const at = showAddress(tower.address);
  assertEquals(await nth(1), { on: "tower", at, heard: true });
  await tower.first("ping");
  tower.standStill();
  const lost = await nth(2);
  assert(lost.on === "tower" && !lost.heard);
  // It says when the tower was heard last, and not when that was found out.
  assert(lost.sinceMonoMs <= performance.now() - WATCH_SILENT_ASKED_MS);
  tower.goOn();
  assertEquals(await nth(3), { on: "tower", at, heard: true });
});
