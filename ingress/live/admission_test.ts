import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { parseCidr } from "../../core/address.ts";
import { answering, endpoint, exchange, ok, route, testIngress } from "./testing.ts";

const GET = "GET /a?b HTTP/1.1\r\nHost: a.test\r\n";
const CLOSE = "Connection: close\r\n\r\n";

Deno.test("a rate limit answers 429 with Retry-After, by address or by field", async () => {
  await using backend = answering(() => ok("fine"));
  const rate = { perSecond: 0.5, burst: 2, per: "header:X-Key" };
  await using ingress = await testIngress({
    routes: [route("/", "shop", { rate })],
    endpoints: [endpoint("shop", backend.port)],
  });
  const get = (fields: string) => exchange(ingress.httpPort, `${GET}${fields}${CLOSE}`);
  for (const fields of ["x-key: one\r\n", "X-Key: one\r\n"]) {
    assertMatch(await get(fields), /fine$/);
  }
  const limited = await get("X-Key: one\r\n");
  assertMatch(limited, /^HTTP\/1\.1 429 /);
  assertMatch(limited, /\r\nRetry-After: [12]\r\n/);
  assertMatch(await get("X-Key: two\r\n"), /fine$/);
  // Without the field a client is its address.
  assertMatch(await get(""), /fine$/);
  assertMatch(await get(""), /fine$/);
  assertMatch(await get(""), /^HTTP\/1\.1 429 /);
});

Deno.test("a sticky route keeps a client at its replica, and lets it go when that is gone", async () => {
  await using one = answering(() => ok("one"));
  await using two = answering(() => ok("two"));
  await using ingress = await testIngress({
    routes: [route("/", "shop", { sticky: true })],
    endpoints: [endpoint("shop", one.port), endpoint("shop", two.port)],
  });
  const get = (cookie: string) =>
    exchange(
      ingress.httpPort,
      `${GET}${cookie === "" ? "" : `Cookie: x=y; ${cookie}\r\n`}${CLOSE}`,
    );
  const first = await get("");
  const [, cookie] = /\r\nSet-Cookie: (skr8tr-shop=[0-9a-f]{16}); Path=\/; HttpOnly/.exec(first)!;
  const name = first.slice(-3);
  for (let count = 0; count < 5; count++) {
    const again = await get(cookie!);
    assertEquals(again.slice(-3), name);
    assertNotMatch(again, /set-cookie/i);
  }
  (name === "one" ? one : two).die();
  const moved = await get(cookie!);
  assertEquals(moved.slice(-3), name === "one" ? "two" : "one");
  assertMatch(moved, /\r\nSet-Cookie: skr8tr-shop=/);
  assertMatch(await get("skr8tr-shop=rubbish"), /^HTTP\/1\.1 200 /);
});

Deno.test("weights share a path between two apps", async () => {
  await using old = answering(() => ok("old"));
  await using fresh = answering(() => ok("new"));
  await using ingress = await testIngress({
    routes: [route("/", "v1", { weight: 3 }), route("/", "v2", { weight: 1 })],
    endpoints: [endpoint("v1", old.port), endpoint("v2", fresh.port)],
  });
  const counts = { old: 0, new: 0 };
  for (let count = 0; count < 12; count++) {
    counts[(await exchange(ingress.httpPort, `${GET}${CLOSE}`)).slice(-3) as "old" | "new"]++;
  }
  assertEquals(counts, { old: 9, new: 3 });
});

Deno.test("a trusted peer's X-Forwarded-* are believed and added to", async () => {
  let seen = "";
  await using backend = answering(({ head }) => {
    seen = head;
    return ok("");
  });
  const rate = { perSecond: 0.1, burst: 1, per: "ip" };
  await using ingress = await testIngress({
    routes: [route("/", "shop"), route("/rated", "shop", { rate })],
    endpoints: [endpoint("shop", backend.port)],
    trusted: [parseCidr("127.0.0.0/8")!, parseCidr("10.0.0.0/8")!],
  });
  await exchange(
    ingress.httpPort,
    `${GET}X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 10.0.0.7\r\nX-Forwarded-Proto: https\r\n` +
      `X-Forwarded-Host: shop.example\r\n${CLOSE}`,
  );
  assertMatch(seen, /\r\nX-Forwarded-For: 8\.8\.8\.8, 10\.0\.0\.7, 127\.0\.0\.1\r\n/);
  assertEquals(seen.match(/x-forwarded-for/gi)?.length, 1);
  assertEquals(seen.match(/\r\nX-Forwarded-Proto: https\r\n/g)?.length, 1);
  assertEquals(seen.match(/\r\nX-Forwarded-Host: shop\.example\r\n/g)?.length, 1);
  assertMatch(seen, /\r\nX-Real-IP: 8\.8\.8\.8\r\n/);
  const rated = (client: string) =>
    exchange(
      ingress.httpPort,
      `GET /rated HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: ${client}\r\n${CLOSE}`,
    );
  assertMatch(await rated("1.1.1.1"), /^HTTP\/1\.1 200 /);
  assertMatch(await rated("1.1.1.1, 10.0.0.9"), /^HTTP\/1\.1 429 /);
  assertMatch(await rated("2.2.2.2"), /^HTTP\/1\.1 200 /);
});

Deno.test("a route that needs TLS is not served plain, unless a trusted peer has taken it", async () => {
  await using backend = answering(() => ok("fine"));
  const setup = {
    routes: [route("/", "shop", { tlsRequired: true })],
    endpoints: [endpoint("shop", backend.port)],
  };
  await using ingress = await testIngress(setup);
  assertMatch(await exchange(ingress.httpPort, `${GET}${CLOSE}`), /^HTTP\/1\.1 426 /);
  const claim = `${GET}X-Forwarded-Proto: https\r\n${CLOSE}`;
  assertMatch(await exchange(ingress.httpPort, claim), /^HTTP\/1\.1 426 /);
  await using behind = await testIngress({ ...setup, trusted: [parseCidr("127.0.0.0/8")!] });
  assertMatch(await exchange(behind.httpPort, claim), /fine$/);
});

Deno.test("OPTIONS * and Max-Forwards: 0 are answered here, TRACE and CONNECT not served", async () => {
  let seen = "";
  await using backend = answering(({ head }) => {
    seen = head;
    return ok("fine");
  });
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  const ask = (line: string, fields = "") =>
    exchange(ingress.httpPort, `${line} HTTP/1.1\r\nHost: a.test\r\n${fields}${CLOSE}`);
  assertMatch(await ask("OPTIONS *"), /^HTTP\/1\.1 204 .*\r\n[^]*Allow: GET/);
  assertMatch(await ask("OPTIONS /", "Max-Forwards: 0\r\n"), /^HTTP\/1\.1 204 /);
  assertMatch(await ask("TRACE /"), /^HTTP\/1\.1 405 /);
  assertMatch(await ask("CONNECT a.test:443"), /^HTTP\/1\.1 405 /);
  assertEquals(backend.requests, 0);
  assertMatch(await ask("OPTIONS /", "Max-Forwards: 7\r\n"), /fine$/);
  assert(seen.includes("\r\nMax-Forwards: 6\r\n"));
});

Deno.test("the access log tells each request once, and nothing in it can forge a line", async () => {
  await using backend = answering(() => ok("fine"));
  let text = "";
  const ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
    accessLog: "combined",
    writeLog: (bytes) => Promise.resolve(text += new TextDecoder().decode(bytes)),
  });
  await exchange(
    ingress.httpPort,
    `${GET}User-Agent: "me" \xff\\\r\nReferer: http://b/\r\n${CLOSE}`,
  );
  await exchange(ingress.httpPort, "BAD\r\n\r\n");
  await ingress.stop();
  const lines = text.trimEnd().split("\n");
  assertEquals(lines.length, 2);
  const [first, second] = lines;
  assertMatch(
    first!,
    /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/a\?b HTTP\/1\.1" 200 \d+ "http:\/\/b\/" "\\x22me\\x22 \\xFF\\x5C"$/,
  );
  assertMatch(second!, / 400 \d+ "-" "-"$/);
});

Deno.test("a PROXY header names the client, if a trusted peer sends it", async () => {
  let seen = "";
  await using backend = answering(({ head }) => {
    seen = head;
    return ok("fine");
  });
  const setup = {
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
    proxyProtocol: true,
    timeouts: { headMs: 300 },
  };
  await using ingress = await testIngress({ ...setup, trusted: [parseCidr("127.0.0.0/8")!] });
  const line = "PROXY TCP4 9.9.9.9 127.0.0.1 1234 80\r\n";
  assertMatch(await exchange(ingress.httpPort, `${line}${GET}${CLOSE}`), /fine$/);
  assertMatch(seen, /\r\nX-Forwarded-For: 9\.9\.9\.9\r\n/);
  // The client behind it is not trusted itself.
  await exchange(ingress.httpPort, `${line}${GET}X-Forwarded-For: 1.1.1.1\r\n${CLOSE}`);
  assertNotMatch(seen, /1\.1\.1\.1/);
  assertEquals(await exchange(ingress.httpPort, `${GET}${CLOSE}`), "");
  assertEquals(await exchange(ingress.httpPort, "PROXY TCP4 "), "");
  await using stranger = await testIngress(setup);
  assertMatch(await exchange(stranger.httpPort, `${line}${GET}${CLOSE}`), /^HTTP\/1\.1 400 /);
});
