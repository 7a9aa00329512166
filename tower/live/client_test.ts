import { assert, assertEquals, assertRejects } from "@std/assert";
import { endpointOf } from "../testing.ts";
import { type Endpoint, Tower, TowerError } from "./client.ts";
import { LiveNode } from "./testing.ts";
import { startTower } from "./tower.ts";

/** A replica that answers with its name, and counts. */
class Replica implements AsyncDisposable {
  answered = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(readonly name: string) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        this.answered++;
        return new Response(
          `${name} ${request.method} ${new URL(request.url).pathname} ${await request.text()}`,
        );
      },
    );
  }

  get endpoint(): Endpoint {
    const { port } = this.#server.addr;
    return { replica: this.name, host: "127.0.0.1", port, node: "node-1", generation: 1 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** A port on which nobody listens. */
function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

/** A stand-in for a tower whose answers a test chooses. */
class FakeTower implements AsyncDisposable {
  status = 200;
  complete = true;
  lookups = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(public endpoints: readonly Endpoint[]) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      this.lookups++;
      return Response.json({ app: "api", endpoints: this.endpoints }, {
        status: this.status,
        headers: { "skr8tr-complete": String(this.complete) },
      });
    });
  }

  get address(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

const dead = (replica = "dead"): Endpoint => ({
  ...{ replica, host: "127.0.0.1", node: "node-1", generation: 1 },
  port: closedPort(),
});

async function names(tower: Tower, times: number, init?: RequestInit): Promise<string[]> {
  const said: string[] = [];
  for (let at = 0; at < times; at++) {
    said.push((await (await tower.fetch("api", "/x?y", init)).text()).split(" ")[0]!);
  }
  return said;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, TowerError) as TowerError).code;
}

Deno.test("Tower.lookup() asks a real tower, and knows the last list when it is gone", async () => {
  const live = startTower({ hostname: "127.0.0.1", port: 0 });
  const tower = new Tower(`http://127.0.0.1:${live.address.port}/`);
  assertEquals(await tower.lookup("api"), []);
  await using node = new LiveNode(live.address);
  node.add(endpointOf("r1"));
  await node.inbox.next((message) => message.k === "register-ok", "the registration's answer");
  const { app: _, ...expected } = endpointOf("r1");
  assertEquals(await tower.lookup("api"), [expected]);
  await live.stop();
  assertEquals(await tower.lookup("api"), [expected]);
  assertEquals(await codeOf(tower.lookup("other")), "unreachable");
});

Deno.test("Tower.watch() yields each change and outlives its tower", async () => {
  const first = startTower({ hostname: "127.0.0.1", port: 0 });
  const { address } = first;
  const tower = new Tower(`http://127.0.0.1:${address.port}`);
  await using node = new LiveNode(address);
  const seen: string[] = [];
  const until = async (wanted: string) => {
    const timeout = AbortSignal.timeout(10_000);
    const late = new Promise<never>((_, reject) =>
      timeout.onabort = () => reject(new Error(`${wanted || "nothing"} was not seen, but ${seen}`))
    );
    while (seen.at(-1) !== wanted) {
      const { value } = await Promise.race([lists.next(), late]);
      seen.push(value!.map((endpoint) => endpoint.replica).sort().join());
    }
    timeout.onabort = null;
  };
  const lists = tower.watch("api");
  await until("");
  node.add(endpointOf("r1"), endpointOf("w1", "web"));
  await until("r1");
  node.add(endpointOf("r2"));
  await until("r1,r2");
  await first.stop();
  await using _second = startTower({ hostname: "127.0.0.1", port: address.port });
  // It lost nothing on the way: the new tower's list is not complete before the node has spoken.
  node.remove("r1");
  await until("r2");
  assertEquals(seen, ["", "r1", "r1,r2", "r2"]);
  await lists.return();
});

Deno.test("Tower.watch() ends at once when its signal says so", async () => {
  await using live = startTower({ hostname: "127.0.0.1", port: 0 });
  const tower = new Tower(`http://127.0.0.1:${live.address.port}`);
  const stop = new AbortController();
  for await (const _ of tower.watch("api", { signal: stop.signal })) stop.abort();
  for await (const _ of tower.watch("api", { signal: stop.signal })) assert(false);
});

Deno.test("Tower.fetch() goes round the replicas and past those that refuse", async () => {
  await using one = new Replica("one");
  await using two = new Replica("two");
  await using fake = new FakeTower([one.endpoint, dead(), two.endpoint]);
  const tower = new Tower(fake.address);
  const said = await names(tower, 30);
  assertEquals(new Set(said), new Set(["one", "two"]));
  assert(one.answered >= 10 && two.answered >= 10, `${one.answered} and ${two.answered}`);
});

Deno.test("Tower.fetch() sends a POST elsewhere when the connection was refused", async () => {
  await using one = new Replica("one");
  await using fake = new FakeTower([dead(), one.endpoint]);
  const response = await new Tower(fake.address).fetch("api", "/orders", {
    method: "POST",
    body: "order",
  });
  assertEquals(await response.text(), "one POST /orders order");
});

Deno.test("Tower.fetch() repeats a GET and never a POST when the connection breaks", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let broken = 0;
  const breaking = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4_096));
      broken++;
      connection.close();
    }
  })();
  await using one = new Replica("one");
  const breaker = { ...dead("breaker"), port: listener.addr.port };
  await using fake = new FakeTower([breaker, one.endpoint]);
  assertEquals(await names(new Tower(fake.address), 1), ["one"]);
  const post = new Tower(fake.address).fetch("api", "/", { method: "POST", body: "order" });
  await assertRejects(() => post, TypeError);
  const stream = new Tower(fake.address).fetch("api", "/", {
    method: "PUT",
    body: new Blob(["order"]).stream(),
  });
  await assertRejects(() => stream, TypeError);
  assert(broken >= 3);
  listener.close();
  await breaking;
});

Deno.test("Tower.fetch() asks anew when all it knew refuse, and uses what it knows without a tower", async () => {
  await using one = new Replica("one");
  const fake = new FakeTower([dead()]);
  const tower = new Tower(fake.address, { freshMs: 60_000 });
  await tower.lookup("api");
  fake.endpoints = [one.endpoint];
  assertEquals(await names(tower, 1), ["one"]);
  await fake[Symbol.asyncDispose]();
  const tired = new Tower(fake.address, { freshMs: 0 });
  assertEquals(await codeOf(tired.fetch("api", "/")), "unreachable");
  assertEquals(await names(tower, 3), ["one", "one", "one"]);
});

Deno.test("Tower.fetch() asks the tower once for many requests at once", async () => {
  await using one = new Replica("one");
  await using fake = new FakeTower([one.endpoint]);
  const tower = new Tower(fake.address);
  await Promise.all(Array.from({ length: 50 }, () => names(tower, 1)));
  assertEquals([one.answered, fake.lookups], [50, 1]);
});

Deno.test("Tower.lookup() of a fresh tower adds to what is known and removes nothing", async () => {
  await using one = new Replica("one");
  await using fake = new FakeTower([one.endpoint]);
  const tower = new Tower(fake.address);
  await tower.lookup("api");
  const two = { ...one.endpoint, replica: "two" };
  fake.endpoints = [two];
  fake.complete = false;
  assertEquals(await tower.lookup("api"), [one.endpoint, two]);
  fake.endpoints = [];
  fake.status = 404;
  assertEquals(await tower.lookup("api"), [one.endpoint, two]);
  fake.complete = true;
  assertEquals(await tower.lookup("api"), []);
});

Deno.test("Tower says by code what is wrong", async () => {
  await using fake = new FakeTower([]);
  assertEquals(await codeOf(new Tower(fake.address).fetch("api", "/")), "no-replica");
  fake.endpoints = [dead("a"), dead("b")];
  assertEquals(await codeOf(new Tower(fake.address).fetch("api", "/")), "no-replica");
  fake.status = 403;
  assertEquals(await codeOf(new Tower(fake.address).lookup("api")), "refused");
  fake.status = 500;
  assertEquals(await codeOf(new Tower(fake.address).lookup("api")), "bad-answer");
  fake.status = 200;
  fake.endpoints = [{ replica: 1 } as unknown as Endpoint];
  assertEquals(await codeOf(new Tower(fake.address).lookup("api")), "bad-answer");
  await assertRejects(() => new Tower(fake.address).fetch("api", "no-slash"), TypeError);
});

Deno.test("new Tower() takes its address from SKR8TR_TOWER", () => {
  const before = Deno.env.get("SKR8TR_TOWER");
  try {
    Deno.env.set("SKR8TR_TOWER", "http://10.0.0.1:7772/");
    assertEquals(new Tower().address, "http://10.0.0.1:7772");
    Deno.env.delete("SKR8TR_TOWER");
    assertEquals(new Tower().address, "http://127.0.0.1:7772");
  } finally {
    if (before !== undefined) Deno.env.set("SKR8TR_TOWER", before);
  }
});
