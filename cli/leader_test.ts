import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Address } from "../core/address.ts";
import { conductorAt } from "./conductor.ts";
import { Leader, Standby } from "./leader.ts";

/** A conductor that leads, or says who does. */
class Fake implements AsyncDisposable {
  leads = false;
  leader: string | null = null;
  readonly asked: string[] = [];
  readonly #end = Promise.withResolvers<void>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const { pathname } = new URL(request.url);
      const { leads, leader } = this;
      if (pathname === "/leader") return Response.json({ leads, term: 1, leader });
      this.asked.push(pathname);
      if (leads && pathname === "/stream") {
        return new Response(ReadableStream.from(this.#lines()));
      }
      if (leads) return Response.json({ at: this.name });
      return Response.json({ error: "stands by", leader }, { status: 503 });
    });
  }

  /** One line, and then nothing for ever. */
  async *#lines(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode(`${JSON.stringify({ at: this.name })}\n`);
    await this.#end.promise;
  }

  get address(): Address {
    return { hostname: "127.0.0.1", port: this.#server.addr.port };
  }

  get name(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.resolve();
    await this.#server.shutdown();
  }
}

Deno.test("of several conductors the one that leads is found and asked, and the next one after it", async () => {
  await using one = new Fake();
  await using two = new Fake();
  two.leads = true;
  const nobody = { hostname: "127.0.0.1", port: 1 };
  const conductor = conductorAt(
    { ...nobody, others: [one.address, two.address] },
    5_000,
  );
  assertEquals(await conductor.get("/api/status"), { at: two.name });
  assertEquals(one.asked, []);
  two.leads = false;
  one.leads = true;
  assertEquals(await conductor.get("/api/status"), { at: one.name });
  await one[Symbol.asyncDispose]();
  two.leads = true;
  assertEquals(await conductor.get("/api/status"), { at: two.name });
});

Deno.test("a single conductor that stands by sends to whoever leads", async () => {
  await using one = new Fake();
  await using two = new Fake();
  one.leader = two.name;
  two.leads = true;
  const conductor = conductorAt(one.address, 5_000);
  assertEquals(await conductor.get("/api/status"), { at: two.name });
  assertEquals(await conductor.get("/api/nodes"), { at: two.name });
  assertEquals(one.asked, ["/api/status"]);
});

Deno.test("where nobody leads it is said so, after the time is up", async () => {
  await using one = new Fake();
  await using two = new Fake();
  const leader = new Leader({ ...one.address, others: [two.address] }, 400);
  const error = await assertRejects(() => leader.ask(100, () => Promise.reject(new Standby(null))));
  assertStringIncludes((error as Error).message, "nobody leads just now");
});

Deno.test("a stream is left when who sends it does not lead any more", async () => {
  await using one = new Fake();
  await using two = new Fake();
  one.leads = true;
  const conductor = conductorAt({ ...one.address, others: [two.address] }, 5_000);
  const seen: unknown[] = [];
  const error = await assertRejects(async () => {
    for await (const line of conductor.lines("/stream")) {
      seen.push(line);
      // It says nothing more, and its stream stays open.
      one.leads = false;
      two.leads = true;
    }
  });
  assertEquals((error as { code?: string }).code, "unreachable");
  assertEquals(seen, [{ at: one.name }]);
  assertEquals(await conductor.get("/api/status"), { at: two.name });
});
