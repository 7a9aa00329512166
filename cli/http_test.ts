import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { conductorAt, splitLines } from "./conductor.ts";
import { request } from "./http.ts";

const hostname = "127.0.0.1";
const never = new AbortController().signal;

async function text(port: number, path = "/", body?: string): Promise<[number, string]> {
  const method = body === undefined ? "GET" : "POST";
  const response = await request({ hostname, port }, { method, path, body, signal: never });
  return [response.status, (await Array.fromAsync(response.body)).join("")];
}

/** A server that says just these bytes and closes. */
async function rawServer(answer: string, use: (port: number) => Promise<void>): Promise<void> {
  const listener = Deno.listen({ hostname, port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4096));
      await connection.write(new TextEncoder().encode(answer));
      connection.close();
    }
  })();
  try {
    await use(listener.addr.port);
  } finally {
    listener.close();
    await serving;
  }
}

Deno.test("request() reads bodies with a length and in chunks, of any size", async () => {
  const big = "péß€😀".repeat(50_000);
  await using server = Deno.serve({ hostname, port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/chunks") {
      const bytes = new TextEncoder().encode(big);
      const parts = [bytes.subarray(0, 1), bytes.subarray(1, 70_001), bytes.subarray(70_001)];
      return new Response(ReadableStream.from(parts));
    }
    if (pathname === "/echo") return new Response(await request.text(), { status: 202 });
    return new Response(big);
  });
  const { port } = server.addr;
  assertEquals(await text(port), [200, big]);
  assertEquals(await text(port, "/chunks"), [200, big]);
  assertEquals(await text(port, "/echo", big), [202, big]);
  assertEquals(await text(port, "/echo", ""), [202, ""]);
});

Deno.test("request() refuses what is no HTTP, and says when an answer breaks off", async () => {
  for (const answer of ["OK|PONG\n", "x".repeat(20_000), "HTTP/1.1 999 no\r\n\r\n"]) {
    await rawServer(answer, async (port) => {
      const error = await assertRejects(() => text(port), Failure) as Failure;
      assertEquals(error.code, "not-http");
    });
  }
  for (
    const answer of [
      "",
      "HTTP/1.1 200 OK\r\ncontent-le",
      "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
    ]
  ) {
    await rawServer(answer, async (port) => {
      const error = await assertRejects(() => text(port), Failure) as Failure;
      assertEquals(error.code, "unreachable", answer);
    });
  }
});

Deno.test("conductorAt() gives up after its timeout, and says who did not answer", async () => {
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  const silent = conductorAt({ hostname, port }, 50);
  const late = await assertRejects(() => silent.get("/api/status"), Failure) as Failure;
  assertEquals(late.code, "unreachable");
  assertStringIncludes(late.message, `${hostname}:${port}: no answer within 50 ms`);
  listener.close();
  const refused = await assertRejects(() => silent.get("/api/status"), Failure) as Failure;
  assertEquals(refused.code, "unreachable");
  assertStringIncludes(refused.message, "the conductor does not answer");
});

Deno.test("conductorAt() hands on the conductor's own words", async () => {
  await using server = Deno.serve(
    { hostname, port: 0, onListen() {} },
    () => Response.json({ error: "no app called api" }, { status: 404 }),
  );
  const conductor = conductorAt({ hostname, port: server.addr.port }, 1_000);
  const error = await assertRejects(() => conductor.get("/api/apps/api"), Failure) as Failure;
  assertEquals([error.code, error.message], ["not-found", "no app called api"]);
});

Deno.test("Conductor.lines() ends when its signal is aborted", async () => {
  await using server = Deno.serve({ hostname, port: 0, onListen() {} }, () =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode('{"n":1}\n{"n"')),
      }),
    ));
  const stop = new AbortController();
  const seen: unknown[] = [];
  const lines = conductorAt({ hostname, port: server.addr.port }, 1_000).lines("/", stop.signal);
  for await (const line of lines) {
    seen.push(line);
    stop.abort();
  }
  assertEquals(seen, [{ n: 1 }]);
});

Deno.test("splitLines() joins what comes in parts", async () => {
  const parts = ReadableStream.from(["a", "b\nc\n", "\nd", "e"]);
  assertEquals(await Array.fromAsync(splitLines(parts)), ["ab", "c", "de"]);
});
