// What of a request goes on to a replica, and what of a response to a client, to the letter.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseCidr } from "../../core/address.ts";
import { connect, endpoint, exchange, openBackend, route, testIngress } from "./testing.ts";

async function passed(
  request: string,
  response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  trusted: readonly string[] = [],
): Promise<{ readonly head: string; readonly answer: string }> {
  let head = "";
  await using backend = openBackend(async (wire) => {
    head = await wire.readUntil("\r\n\r\n");
    await wire.write(response);
  });
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
    trusted: trusted.map((each) => parseCidr(each)!),
    timeouts: { idleMs: 100 },
  });
  return { answer: await exchange(ingress.httpPort, request), head };
}

const get = (fields: string) =>
  `GET / HTTP/1.1\r\nHost: a.test\r\n${fields}Connection: close\r\n\r\n`;

for (
  const upgrade of [
    "Upgrade: h2c\r\n",
    "Upgrade: H2C\r\n",
    "Upgrade: websocket, h2c\r\n",
    "Upgrade: websocket\r\nUpgrade: h2c\r\n",
    "Upgrade: h2c\r\nUpgrade: websocket\r\n",
    "Upgrade: HTTP/2.0\r\n",
    "Upgrade: h2\r\n",
    "Upgrade: TLS/1.2, HTTP/1.1\r\n",
    "Upgrade: ,\r\n",
  ]
) {
  Deno.test(`nobody behind is asked to switch by ${JSON.stringify(upgrade)}`, async () => {
    const { head } = await passed(get(`Connection: Upgrade\r\n${upgrade}`));
    assert(!/upgrade/i.test(head), head);
  });
}

Deno.test("an upgrade to another protocol is passed on", async () => {
  const fields = "Connection: x-a, Upgrade\r\nX-A: b\r\nUpgrade: websocket\r\n";
  const { head } = await passed(`GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`, "nothing");
  assertMatch(head, /\r\nUpgrade: websocket\r\n/);
  assertMatch(head, /\r\nConnection: upgrade\r\n/);
  assert(!head.includes("X-A"));
});

Deno.test("claims of strangers about who they are go no further, whatever they are called", async () => {
  const claims = ["For", "User", "Proto", "Uri", "Client-Cert", "Tls-Client-Cert"];
  const lines = claims.flatMap((name) => [
    `X-Forwarded-${name}: evil\r\n`,
    `x_forwarded_${name}: evil\r\n`,
  ]);
  const others = "X-Real-IP: evil\r\nForwarded: for=evil\r\n";
  const { head } = await passed(get(lines.join("") + others));
  assert(!head.includes("evil"), head);
  assertMatch(head, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
  const { head: kept } = await passed(get("X-Forwardes: a\r\nX-Forwarded-User: b\r\n"), undefined, [
    "127.0.0.1",
  ]);
  assertMatch(kept, /\r\nX-Forwardes: a\r\nX-Forwarded-User: b\r\n/);
});

Deno.test("Connection cannot name away who the client is, nor what frames the message", async () => {
  const named = "host, content-length, x-real-ip, x-forwarded-for, x-forwarded-proto, forwarded, " +
    "x-request-id, traceparent";
  const fields = `Connection: ${named}\r\nX-Real-IP: 9.9.9.9\r\nX-Forwarded-For: 9.9.9.9\r\n` +
    "X-Forwarded-Proto: https\r\nX-Request-Id: mine\r\nContent-Length: 3\r\n";
  const request = `POST / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\nabc`;
  const { head } = await passed(request, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n", [
    "127.0.0.1",
  ]);
  for (
    const line of [
      "Host: a.test",
      "Content-Length: 3",
      "X-Real-IP: 9.9.9.9",
      "X-Forwarded-For: 9.9.9.9, 127.0.0.1",
      "X-Forwarded-Proto: https",
      "X-Request-Id: mine",
    ]
  ) assert(head.includes(`\r\n${line}\r\n`), `${line} in ${head}`);
});

Deno.test("an expectation of HTTP/1.0 is ignored, by everybody", async () => {
  const { head, answer } = await passed(
    "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
  );
  assert(!/expect/i.test(head), head);
  assertMatch(answer, /^HTTP\/1\.1 200 /);
});

Deno.test("a status line without a reason gets its space, whoever forgot it", async () => {
  const { answer } = await passed(get(""), "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n");
  assert(answer.startsWith("HTTP/1.1 200 \r\n"), answer);
});

Deno.test("what a switch without Upgrade says is not believed", async () => {
  await using backend = openBackend(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    await wire.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\nraw");
  });
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
  });
  using client = await connect(ingress.httpPort);
  await client.write(
    "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
  );
  assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 502 /);
});

Deno.test("405 says what is allowed, and OPTIONS of an authority is of the server", async () => {
  const connecting = await passed("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
  assertMatch(connecting.answer, /^HTTP\/1\.1 405 [^]*\r\nAllow: GET, /);
  const tracing = await passed("TRACE / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
  assertMatch(tracing.answer, /^HTTP\/1\.1 405 [^]*\r\nAllow: GET, /);
  const options = "OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
  const asked = await passed(options);
  assertMatch(asked.answer, /^HTTP\/1\.1 204 /);
  assertEquals([asked.head, connecting.head, tracing.head], ["", "", ""]);
});
