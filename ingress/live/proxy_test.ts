// What the ingress does with requests and responses, over real sockets.

import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import {
  answering,
  connect,
  endpoint,
  eventually,
  exchange,
  ok,
  openBackend,
  route,
  testIngress,
} from "./testing.ts";

const HEAD = "Host: shop.test\r\n";
const CLOSE = "Connection: close\r\n\r\n";

function get(path: string, fields = CLOSE): string {
  return `GET ${path} HTTP/1.1\r\n${HEAD}${fields}`;
}

Deno.test("a request reaches its replica with the fields that say where it came from", async () => {
  let seen = "";
  await using backend = answering(({ head }) => {
    seen = head;
    return ok(
      "hello",
      "Keep-Alive: timeout=5\r\nX-Own: yes\r\nConnection: X-Secret\r\nX-Secret: 1\r\n",
    );
  });
  await using ingress = await testIngress({
    routes: [route("/api/products", "shop", { strip: "/api" })],
    endpoints: [endpoint("shop", backend.port)],
  });
  const text = await exchange(
    ingress.httpPort,
    "GET /api/products?page=2 HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-For: 6.6.6.6\r\n" +
      "X-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nTE: gzip\r\n" +
      "Connection: close, X-Mine\r\nX-Mine: 1\r\nX_Forwarded_For: 6.6.6.6\r\nAccept: */*\r\n\r\n",
  );
  assertMatch(seen, /^GET \/products\?page=2 HTTP\/1\.1\r\n/);
  assertMatch(seen, /\r\nHost: shop\.test\r\n/);
  assertMatch(seen, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
  assertMatch(seen, /\r\nX-Real-IP: 127\.0\.0\.1\r\n/);
  assertMatch(seen, /\r\nX-Forwarded-Proto: http\r\n/);
  assertMatch(seen, /\r\nX-Forwarded-Host: shop\.test\r\n/);
  assertMatch(seen, /\r\nX-Request-Id: [0-9a-f]{24}\r\n/);
  assertMatch(seen, /\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\n/);
  assertMatch(seen, /\r\nVia: 1\.1 skr8tr\r\n/);
  assertMatch(seen, /\r\nAccept: \*\/\*\r\n/);
  assertNotMatch(seen, /6\.6\.6\.6|x-mine|connection:|te:/i);
  assertMatch(text, /^HTTP\/1\.1 200 OK\r\n/);
  assertMatch(text, /\r\nX-Own: yes\r\n/);
  assertMatch(text, /\r\nDate: /);
  assertMatch(text, /\r\nX-Request-Id: [0-9a-f]{24}\r\n/);
  assertNotMatch(text, /keep-alive|x-secret/i);
  assertMatch(text, /\r\n\r\nhello$/);
});

Deno.test("a client's own request id and trace are passed on, malformed ones are not", async () => {
  let seen = "";
  await using backend = answering(({ head }) => {
    seen = head;
    return ok("");
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  const trace = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  await exchange(
    ingress.httpPort,
    get("/", `X-Request-Id: mine-1\r\ntraceparent: ${trace}\r\n${CLOSE}`),
  );
  assertMatch(seen, /\r\nX-Request-Id: mine-1\r\n/);
  assertEquals(seen.match(/x-request-id/gi)?.length, 1);
  assert(seen.includes(trace));
  assertEquals(seen.match(/traceparent/gi)?.length, 1);
  await exchange(
    ingress.httpPort,
    get("/", `X-Request-Id: not one word\r\ntraceparent: 00-${"0".repeat(32)}-x-01\r\n${CLOSE}`),
  );
  assertMatch(seen, /\r\nX-Request-Id: [0-9a-f]{24}\r\n/);
  assertEquals(seen.match(/x-request-id/gi)?.length, 1);
  assertMatch(seen, /\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\n/);
});

Deno.test("successive requests are answered by both replicas in turn", async () => {
  await using one = answering(() => ok("one"));
  await using two = answering(() => ok("two"));
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", one.port), endpoint("shop", two.port)],
  });
  const bodies: string[] = [];
  for (let count = 0; count < 6; count++) {
    bodies.push((await exchange(ingress.httpPort, get("/"))).slice(-3));
  }
  assertEquals(bodies, ["one", "two", "one", "two", "one", "two"]);
});

Deno.test("no route is 404, no replica 503 with Retry-After, and both name what is missing", async () => {
  await using ingress = await testIngress({ routes: [route("/shop", "shop")] });
  assertMatch(await exchange(ingress.httpPort, get("/shopping")), /^HTTP\/1\.1 404 /);
  const none = await exchange(ingress.httpPort, get("/shop/cart"));
  assertMatch(none, /^HTTP\/1\.1 503 /);
  assertMatch(none, /\r\nRetry-After: 1\r\n/);
  assertMatch(none, /no replica of shop is ready/);
});

Deno.test("a refused connection is tried on another replica, for any method", async () => {
  await using dead = answering(() => ok("dead"));
  await using alive = answering(() => ok("alive"));
  dead.die();
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", dead.port), endpoint("shop", alive.port)],
  });
  for (let count = 0; count < 4; count++) {
    const post = `POST / HTTP/1.1\r\n${HEAD}Content-Length: 3\r\n${CLOSE}abc`;
    assertMatch(await exchange(ingress.httpPort, post), /alive$/);
  }
  const metrics = await (await ingress.metrics.expose()).registry.metrics();
  assertMatch(metrics, /skr8tr_ingress_ejections_total\{app="shop",replica="shop-\d+"\} 1/);
});

Deno.test("with every replica refusing the answer is 502", async () => {
  await using dead = answering(() => ok("dead"));
  dead.die();
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", dead.port)],
  });
  const text = await exchange(ingress.httpPort, get("/"));
  assertMatch(text, /^HTTP\/1\.1 502 /);
  assertMatch(text, /a replica of shop refused the connection/);
});

// Row 17 of the scoreboard of faults.
for (const sent of ["", "H", "HTTP/1.1 200 OK\r\nContent-Len"]) {
  Deno.test(`a replica that ends after ${sent.length} bytes: GET is tried again once, POST never`, async () => {
    let requests = 0;
    const script = () =>
      openBackend(async (wire) => {
        if (await wire.readRequest() === null) return;
        requests++;
        await wire.write(sent);
      });
    await using one = script();
    await using two = script();
    await using three = script();
    await using ingress = await testIngress({
      routes: [route("/", "shop")],
      endpoints: [one, two, three].map((each) => endpoint("shop", each.port)),
    });
    assertMatch(await exchange(ingress.httpPort, get("/")), /^HTTP\/1\.1 502 /);
    assertEquals(requests, 2);
    requests = 0;
    const post = `POST / HTTP/1.1\r\n${HEAD}Content-Length: 3\r\n${CLOSE}abc`;
    assertMatch(await exchange(ingress.httpPort, post), /^HTTP\/1\.1 502 /);
    assertEquals(requests, 1);
  });
}

Deno.test("connections to a replica are kept and used again, whatever frames the content", async () => {
  await using backend = answering(({ head }) =>
    head.includes("/chunks")
      ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
      : ok("fine")
  );
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  for (let count = 0; count < 50; count++) {
    await client.write(get(count % 2 === 0 ? "/length" : "/chunks", "\r\n"));
    await client.readUntil(count % 2 === 0 ? "fine" : "0\r\n\r\n");
  }
  assertEquals([backend.requests, backend.connections], [50, 1]);
});

Deno.test("a replica that ends kept-alive connections when asked again is not blamed for it", async () => {
  // The second request on a connection gets no answer: as when it crossed the replica's goodbye.
  await using backend = openBackend(async (wire, each) => {
    await wire.readRequest();
    each.requests++;
    await wire.write(ok("fine"));
    await wire.readRequest();
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  for (let count = 0; count < 300; count++) {
    await client.write(get("/", "\r\n"));
    assertMatch(await client.readUntil("fine"), /^HTTP\/1\.1 200 /);
  }
  assertEquals(backend.requests, 300);
  const [replica] = ingress.machine.allReplicas();
  assertEquals(replica!.circuit.ejections, 0);
  const metrics = await (await ingress.metrics.expose()).registry.metrics();
  assertMatch(metrics, /skr8tr_ingress_retries_total\{[^}]*\} 0\n/);
  const post = `POST / HTTP/1.1\r\n${HEAD}Content-Length: 3\r\n${CLOSE}abc`;
  assertMatch(await exchange(ingress.httpPort, post), /^HTTP\/1\.1 502 /);
});

Deno.test("a replica that ends every connection at once is tried twice, then 502", async () => {
  await using backend = openBackend(() => Promise.resolve());
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  for (let count = 0; count < 5; count++) {
    assertMatch(await exchange(ingress.httpPort, get("/")), /^HTTP\/1\.1 502 /);
    assert(backend.connections <= 2 * (count + 1), `${backend.connections} connections`);
  }
});

Deno.test("a replica that pauses within a response is given up, but events may be rare", async () => {
  await using backend = openBackend(async (wire) => {
    const request = await wire.readRequest();
    await wire.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    if (request!.head.includes("/rare")) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return await wire.write("data: 2\n\n");
    }
    await wire.readAll();
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
    timeouts: { bodyMs: 100, responseMs: 600 },
  });
  assertMatch(await exchange(ingress.httpPort, get("/rare")), /data: 2\n\n\r\n0\r\n\r\n$/);
  assertMatch(await exchange(ingress.httpPort, get("/never")), /data: 1\n\n\r\n$/);
});

Deno.test("a response cut short after its head is never passed off as whole", async () => {
  await using backend = openBackend(async (wire) => {
    await wire.readRequest();
    await wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  const text = await exchange(ingress.httpPort, get("/"));
  assertMatch(text, /3\r\nabc\r\n$/);
});

Deno.test("a kept-alive connection that the replica has closed meanwhile is no error", async () => {
  // Each connection serves one request and closes right after, without saying so.
  await using backend = openBackend(async (wire, each) => {
    if (await wire.readRequest() === null) return;
    each.requests++;
    await wire.write(ok("fine"));
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  for (let count = 0; count < 200; count++) {
    await client.write(get("/", "\r\n"));
    assertMatch(await client.readUntil("fine"), /^HTTP\/1\.1 200 /);
  }
  assertEquals(backend.requests, 200);
});

Deno.test("a replica that does not answer in time is 504", async () => {
  await using backend = openBackend(async (wire) => {
    await wire.readAll();
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop", { timeoutMs: 150 })],
    endpoints: [endpoint("shop", backend.port)],
  });
  const text = await exchange(ingress.httpPort, get("/"));
  assertMatch(text, /^HTTP\/1\.1 504 /);
  assertMatch(text, /shop did not answer in time/);
});

Deno.test("a body streams to the replica while the client still sends it", async () => {
  const parts: string[] = [];
  await using backend = openBackend(async (wire) => {
    parts.push(await wire.readUntil("\r\n\r\n"));
    for (const part of ["one", "two", "three"]) {
      await wire.readUntil(part);
      parts.push(part);
      await wire.write(
        parts.length === 2 ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" : "",
      );
      await wire.write(`${part.length}\r\n${part}\r\n`);
    }
    await wire.readUntil("0\r\n\r\n");
    await wire.write("0\r\n\r\n");
  });
  await using ingress = await testIngress({
    routes: [route("/", "echo")],
    endpoints: [endpoint("echo", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  await client.write(`POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  for (const part of ["one", "two", "three"]) {
    await client.write(`${part.length}\r\n${part}\r\n`);
    await client.readUntil(part);
  }
  await client.write("0\r\n\r\n");
  await client.readUntil("0\r\n\r\n");
  assertEquals(parts.length, 4);
});

Deno.test("a body of 5 MB arrives whole, by length and in chunks", async () => {
  const body = "0123456789abcdef".repeat(327_680);
  await using backend = openBackend(async (wire) => {
    for (;;) {
      const head = await wire.readUntil("\r\n\r\n");
      const chunked = /transfer-encoding/i.test(head);
      let got = "";
      while (chunked ? !got.endsWith("\r\n0\r\n\r\n") : got.length < body.length) {
        const more = await wire.read();
        if (more === null) return;
        got += more;
      }
      const content = chunked
        ? got.replace(/[0-9a-f]{1,8}\r\n|\r\n/g, (each) => each.length > 8 ? each : "")
        : got;
      await wire.write(ok(chunked ? "chunked" : String(content === body)));
    }
  });
  await using ingress = await testIngress({
    routes: [route("/", "sink")],
    endpoints: [endpoint("sink", backend.port)],
  });
  const byLength = await exchange(
    ingress.httpPort,
    `PUT / HTTP/1.1\r\n${HEAD}Content-Length: ${body.length}\r\n${CLOSE}${body}`,
  );
  assertMatch(byLength, /true$/);
  const size = body.length.toString(16);
  const inChunks = await exchange(
    ingress.httpPort,
    `PUT / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n${CLOSE}${size}\r\n${body}\r\n0\r\n\r\n`,
  );
  assertMatch(inChunks, /chunked$/);
});

Deno.test("a response of 5 MB arrives whole, by length, in chunks and until the end", async () => {
  const body = "fedcba9876543210".repeat(327_680);
  await using backend = openBackend(async (wire) => {
    for (;;) {
      const request = await wire.readRequest();
      if (request === null) return;
      if (request.head.includes("/length")) await wire.write(ok(body));
      else if (request.head.includes("/chunks")) {
        await wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (let at = 0; at < body.length; at += 40_000) {
          const part = body.slice(at, at + 40_000);
          await wire.write(`${part.length.toString(16)};x=y\r\n${part}\r\n`);
        }
        await wire.write("0\r\nX-Sum: 7\r\n\r\n");
      } else {
        await wire.write(`HTTP/1.1 200 OK\r\n\r\n${body}`);
        return;
      }
    }
  });
  await using ingress = await testIngress({
    routes: [route("/", "source")],
    endpoints: [endpoint("source", backend.port)],
  });
  const base = `http://127.0.0.1:${ingress.httpPort}`;
  for (const path of ["/length", "/chunks", "/end"]) {
    const text = await (await fetch(base + path)).text();
    assert(text === body, `${path}: ${text.length} of ${body.length}`);
  }
  const old = await exchange(ingress.httpPort, `GET /chunks HTTP/1.0\r\n\r\n`);
  assertEquals(old.length - old.indexOf("\r\n\r\n") - 4, body.length);
  assertNotMatch(old.slice(0, 500), /transfer-encoding/i);
  const raw = await exchange(ingress.httpPort, get("/chunks"));
  assertMatch(raw.slice(-40), /\r\n0\r\nX-Sum: 7\r\n\r\n$/);
  assertNotMatch(raw.slice(0, 50_000), /x=y/);
});

Deno.test("a client that stops reading holds the replica back and grows no memory", async () => {
  let written = 0;
  const piece = new Uint8Array(65_536).fill(0x61);
  await using backend = openBackend(async (wire) => {
    await wire.readRequest();
    await wire.write("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
    for (let count = 0; count < 16_384; count++) {
      await wire.write(piece);
      written += piece.length;
    }
  });
  await using other = answering(() => ok("quick"));
  await using ingress = await testIngress({
    routes: [route("/", "source"), route("/other", "other")],
    endpoints: [endpoint("source", backend.port), endpoint("other", other.port)],
    timeouts: { bodyMs: 600 },
  });
  using client = await connect(ingress.httpPort);
  await client.write(get("/"));
  let before = -1;
  await eventually("the replica is held back", () => {
    const still = written === before && written > 0;
    before = written;
    return still;
  });
  assert(written < 64 * 1024 * 1024, `the ingress swallowed ${written} bytes`);
  assertMatch(await exchange(ingress.httpPort, get("/other")), /quick$/);
  await eventually("the client is given up", () => ingress.metrics.connections === 0);
});

Deno.test("Expect: 100-continue goes to the replica and its answer comes back", async () => {
  await using backend = openBackend(async (wire) => {
    const head = await wire.readUntil("\r\n\r\n");
    assertMatch(head, /\r\nExpect: 100-continue\r\n/);
    if (head.startsWith("PUT /no")) {
      return await wire.write("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
    }
    await wire.write("HTTP/1.1 100 Continue\r\n\r\n");
    await wire.readUntil("abc");
    await wire.write(ok("taken"));
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  await client.write(`PUT / HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`);
  assertEquals(await client.readUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  await client.write("abc");
  assertMatch(await client.readUntil("taken"), /^HTTP\/1\.1 200 /);
  const refused = await exchange(
    ingress.httpPort,
    `PUT /no HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`,
  );
  assertMatch(refused, /^HTTP\/1\.1 417 /);
  assertMatch(refused, /\r\nConnection: close\r\n/);
});

Deno.test("an upgrade becomes a tunnel both ways, each side's end passed on", async () => {
  await using backend = openBackend(async (wire) => {
    const head = await wire.readUntil("\r\n\r\n");
    assertMatch(head, /\r\nUpgrade: chat\r\n/);
    assertMatch(head, /\r\nConnection: upgrade\r\n/);
    await wire.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nhi",
    );
    for (let text = await wire.read(); text !== null; text = await wire.read()) {
      await wire.write(text.toUpperCase());
    }
    await wire.write("bye");
  });
  await using ingress = await testIngress({
    routes: [route("/", "chat")],
    endpoints: [endpoint("chat", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  await client.write(get("/", "Connection: Upgrade\r\nUpgrade: chat\r\n\r\nearly"));
  const head = await client.readUntil("hiEARLY");
  assertMatch(head, /^HTTP\/1\.1 101 /);
  assertMatch(head, /\r\nUpgrade: chat\r\n/);
  await client.write("words");
  await client.readUntil("WORDS");
  await client.connection.closeWrite();
  assertEquals(await client.readAll(), "bye");
  await eventually("the tunnel has ended", () => ingress.metrics.connections === 0);
});

Deno.test("a WebSocket works through the ingress", async () => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(`echo ${data}`);
    return response;
  });
  await using ingress = await testIngress({
    routes: [route("/", "chat")],
    endpoints: [endpoint("chat", server.addr.port)],
  });
  const socket = new WebSocket(`ws://127.0.0.1:${ingress.httpPort}/`);
  const heard: string[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => socket.send("one");
    socket.onmessage = ({ data }) => {
      heard.push(data);
      if (heard.length === 2) resolve();
      else socket.send("two");
    };
    socket.onerror = () => reject(new Error("the WebSocket failed"));
  });
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
  assertEquals(heard, ["echo one", "echo two"]);
  await server.shutdown();
});

Deno.test("pipelined requests are answered in their order", async () => {
  await using backend = answering(async ({ head }) => {
    const number = /GET \/(\d+)/.exec(head)![1]!;
    // The first ones take longest.
    await new Promise((resolve) => setTimeout(resolve, 20 - Number(number)));
    return ok(`<${number}>`);
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  const numbers = Array.from({ length: 20 }, (_, number) => number);
  const text = await exchange(
    ingress.httpPort,
    numbers.map((number) => get(`/${number}`, number === 19 ? CLOSE : "\r\n")).join(""),
  );
  assertEquals([...text.matchAll(/<(\d+)>/g)].map((each) => Number(each[1])), numbers);
});

Deno.test("HEAD, 204, 304 and interim responses carry no content and keep the connection", async () => {
  await using backend = answering(({ head }) => {
    if (head.startsWith("HEAD")) return "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    if (head.includes("/204")) return "HTTP/1.1 204 No Content\r\n\r\n";
    if (head.includes("/304")) return "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n";
    return `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok("end")}`;
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  await client.write(
    `HEAD / HTTP/1.1\r\n${HEAD}\r\n${get("/204", "\r\n")}${get("/304", "\r\n")}${get("/", "\r\n")}`,
  );
  const text = await client.readUntil("end");
  assertEquals([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((each) => each[1]), [
    "200",
    "204",
    "304",
    "103",
    "200",
  ]);
  assertEquals(backend.connections, 1);
});

Deno.test("a client that has ended its side still gets its answer", async () => {
  await using backend = answering(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return ok("late");
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  await client.write(get("/", "\r\n"));
  await client.connection.closeWrite();
  assertMatch(await client.readAll(), /late$/);
});

Deno.test("a client that resets its connection frees the replica", async () => {
  let ended = false;
  await using backend = openBackend(async (wire) => {
    await wire.readRequest();
    await wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    try {
      for (;;) {
        await wire.write(`1000\r\n${"x".repeat(4096)}\r\n`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } finally {
      ended = true;
    }
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  const client = await connect(ingress.httpPort);
  await client.write(get("/", "\r\n"));
  await client.readUntil("xxx");
  client.close();
  await eventually("the replica's connection is closed", () => ended);
  assertEquals([...ingress.machine.allReplicas()].map((each) => each.outstanding), [0]);
});

Deno.test("slow heads and idle connections are closed in time, others are served meanwhile", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
    timeouts: { headMs: 400, idleMs: 300 },
  });
  const started = performance.now();
  const everyMs = 20;
  const long = "x".repeat(1000);
  const slow = Array.from({ length: 200 }, async (_, number) => {
    using client = await connect(ingress.httpPort);
    const drip = async () => {
      for (const byte of `GET /${number} HTTP/1.1\r\n${HEAD}X-Slow: ${long}`) {
        await client.write(byte);
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
    };
    drip().catch(() => {});
    return await client.readAll();
  });
  using idle = await connect(ingress.httpPort);
  await idle.write(get("/", "\r\n"));
  await idle.readUntil("fine");
  for (let count = 0; count < 20; count++) {
    assertMatch(await exchange(ingress.httpPort, get("/")), /fine$/);
  }
  for (const text of await Promise.all(slow)) assertMatch(text, /^HTTP\/1\.1 408 /);
  assertEquals(await idle.readAll(), "");
  // Long before the heads would have ended: their time is not counted from the last byte.
  const elapsedMs = performance.now() - started;
  assert(elapsedMs < everyMs * long.length / 2, `took ${elapsedMs} ms`);
  await eventually("all are gone", () => ingress.metrics.connections === 0);
});

Deno.test("heads without end are refused at 16 KiB", async () => {
  await using ingress = await testIngress({ routes: [route("/", "shop")] });
  using client = await connect(ingress.httpPort);
  const endless = async () => {
    await client.write(`GET / HTTP/1.1\r\n${HEAD}`);
    for (;;) await client.write(`X-More: ${"x".repeat(1000)}\r\n`);
  };
  endless().catch(() => {});
  assertMatch(await client.readAll(), /^HTTP\/1\.1 431 /);
});

Deno.test("at the bound of connections further ones wait and are served later", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
    maxConnections: 3,
    timeouts: { headMs: 300 },
  });
  const idle = await Promise.all([1, 2, 3].map(() => connect(ingress.httpPort)));
  assertMatch(await exchange(ingress.httpPort, get("/")), /fine$/);
  for (const each of idle) each.close();
});

Deno.test("a body larger than allowed is refused", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
    maxBodyBytes: 1000,
  });
  const post = (framing: string, body: string) =>
    exchange(ingress.httpPort, `POST / HTTP/1.1\r\n${HEAD}${framing}\r\n${CLOSE}${body}`);
  assertMatch(await post("Content-Length: 1000", "x".repeat(1000)), /fine$/);
  assertMatch(await post("Content-Length: 1001", "x".repeat(1001)), /^HTTP\/1\.1 413 /);
  const chunk = `200\r\n${"x".repeat(512)}\r\n`;
  assertMatch(await post("Transfer-Encoding: chunked", `${chunk}0\r\n\r\n`), /fine$/);
  assertMatch(
    await post("Transfer-Encoding: chunked", `${chunk}${chunk}0\r\n\r\n`),
    /^HTTP\/1\.1 413 /,
  );
  assertEquals(backend.requests, 2);
});

Deno.test("stop() finishes what is under way and takes nothing more", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  await using backend = answering(async () => {
    await held;
    return ok("finished");
  });
  const ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  using idle = await connect(ingress.httpPort);
  await client.write(get("/", "\r\n"));
  await eventually("the request is under way", () => backend.requests === 1);
  const stopped = ingress.stop();
  assertEquals(await idle.readAll(), "");
  release();
  const text = await client.readAll();
  assertMatch(text, /\r\nConnection: close\r\n/);
  assertMatch(text, /finished$/);
  await stopped;
});
