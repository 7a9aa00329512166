import { assertEquals, assertRejects } from "@std/assert";
import { createDirectory, fixedName } from "./directory.ts";
import { DIRECTORY_CACHE_MS } from "./limits.ts";
import { Problem } from "./problem.ts";

/** A network of hosts, each alive or not, and a tower at `tower`. */
function network() {
  const asked: string[] = [];
  const alive = new Map<string, (path: string) => Response>();
  let endpoints: string[] = [];
  let towerUp = true;
  let now = 0;
  const fetcher = ((input: string) => {
    const url = new URL(input);
    asked.push(`${url.host}${url.pathname}`);
    if (url.host === "tower") {
      if (!towerUp) return Promise.reject(new TypeError("connection refused"));
      const found = endpoints.map((host) => ({ host, port: 1, replica: host }));
      return Promise.resolve(Response.json({ app: "product-svc", endpoints: found }));
    }
    const answer = alive.get(url.hostname);
    return answer
      ? Promise.resolve(answer(url.pathname))
      : Promise.reject(new TypeError("connection refused"));
  }) as typeof fetch;
  const env = (name: string) => name === "SKR8TR_TOWER" ? "http://tower" : undefined;
  return {
    directory: createDirectory({ env, fetch: fetcher, now: () => now }, ["product-svc"]),
    asked,
    alive,
    set endpoints(hosts: string[]) {
      endpoints = hosts;
    },
    set towerUp(up: boolean) {
      towerUp = up;
    },
    advance: (ms: number) => void (now += ms),
  };
}

const says = (text: string, status = 200) => () => new Response(text, { status });
const refused = (call: () => Promise<Response>) =>
  assertRejects(call, Problem, "product-svc cannot be reached");

Deno.test("call() asks the tower once a second and takes turns", async () => {
  const net = network();
  net.endpoints = ["a", "b"];
  net.alive.set("a", says("a")).set("b", says("b"));
  const seen = [];
  for (let at = 0; at < 4; at++) {
    seen.push(await (await net.directory.call("product-svc", "/")).text());
  }
  assertEquals(seen, ["a", "b", "a", "b"]);
  assertEquals(net.asked.filter((each) => each.startsWith("tower")).length, 1);
  net.advance(DIRECTORY_CACHE_MS + 1);
  net.endpoints = ["b"];
  assertEquals(await (await net.directory.call("product-svc", "/")).text(), "b");
  assertEquals(net.asked.filter((each) => each.startsWith("tower")).length, 2);
});

Deno.test("call() falls over to the next replica, and asks the tower anew", async () => {
  const net = network();
  net.endpoints = ["dead", "sick", "well"];
  net.alive.set("sick", says("no", 500)).set("well", says("yes"));
  assertEquals(await (await net.directory.call("product-svc", "/")).text(), "yes");
  net.endpoints = ["well"];
  assertEquals(await (await net.directory.call("product-svc", "/")).text(), "yes");
  assertEquals(
    net.asked,
    ["tower/lookup/product-svc", "dead:1/", "sick:1/", "well:1/"].concat(
      ["tower/lookup/product-svc", "well:1/"],
    ),
  );
});

Deno.test("call() sends what may not be repeated once only", async () => {
  const net = network();
  net.endpoints = ["dead", "well"];
  net.alive.set("well", says("yes"));
  await refused(() => net.directory.call("product-svc", "/", { method: "POST", json: {} }));
  assertEquals(net.asked.filter((each) => !each.startsWith("tower")), ["dead:1/"]);
  net.advance(1);
  const again = { method: "POST", json: {}, repeatable: true };
  assertEquals(await (await net.directory.call("product-svc", "/", again)).text(), "yes");
});

Deno.test("call() goes on with what it knew while the tower is away or has just started", async () => {
  const net = network();
  net.endpoints = ["a"];
  net.alive.set("a", says("a"));
  await (await net.directory.call("product-svc", "/")).text();
  net.towerUp = false;
  net.advance(3_600_000);
  assertEquals(await (await net.directory.call("product-svc", "/")).text(), "a");
  net.towerUp = true;
  net.endpoints = [];
  assertEquals(await (await net.directory.call("product-svc", "/")).text(), "a");
});

Deno.test("call() answers 4xx as they are, and 503 when nobody is known", async () => {
  const net = network();
  await refused(() => net.directory.call("product-svc", "/"));
  net.endpoints = ["a"];
  net.alive.set("a", says("no such product", 404));
  assertEquals((await net.directory.call("product-svc", "/x")).status, 404);
});

Deno.test("call() uses a fixed address where one is set", async () => {
  assertEquals(fixedName("product-svc"), "PRODUCT_URL");
  const asked: string[] = [];
  const directory = createDirectory({
    env: (name) => name === "PRODUCT_URL" ? "http://127.0.0.1:8001" : undefined,
    now: () => 0,
    fetch: ((url: string) => {
      asked.push(url);
      return Promise.resolve(new Response("ok"));
    }) as typeof fetch,
  }, ["product-svc"]);
  await (await directory.call("product-svc", "/products")).text();
  assertEquals(asked, ["http://127.0.0.1:8001/products"]);
});
