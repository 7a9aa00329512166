import { assertEquals } from "@std/assert";
import type { Route, WatcherMessage } from "../../core/mesh.ts";
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

/** A tower that only listens. */
function openTower() {
  const heard: WatcherMessage[] = [];
  let more = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: HOST, port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      heard.push(JSON.parse(data));
      more.resolve();
      more = Promise.withResolvers();
    };
    return response;
  });
  return {
    address: server.addr as Deno.NetAddr,
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
