// HTTPS: names, reload, HTTP/2, WebSockets. Certificates are made by openssl.

import http2, { type ClientHttp2Session } from "node:http2";
import tls from "node:tls";
import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { parseCidr } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import type { CertificateFiles } from "./certificates.ts";
import type { IngressSettings } from "./ingress.ts";
import {
  certificateFolder as folder,
  certify as makeCertificate,
  hasOpenssl,
} from "./testing_tls.ts";
import {
  answering,
  type Backend,
  endpoint,
  eventually,
  exchange,
  ok,
  openBackend,
  route,
  testIngress,
} from "./testing.ts";

function tlsTest(name: string, run: () => Promise<void>): void {
  Deno.test(name, async () => {
    if (!hasOpenssl) return console.log("not run: openssl is not installed");
    await run();
  });
}

/** As `certify()` of testing_tls.ts, where openssl is known to be there. */
async function certify(file: string, ...names: string[]): Promise<CertificateFiles> {
  return (await makeCertificate(file, ...names))!;
}

async function secureIngress(
  backend: Backend,
  files: readonly { certificate: string; key: string }[],
  more: Partial<IngressSettings> = {},
) {
  return await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
    tls: { port: 0, files, hstsS: 3600, redirect: true },
    ...more,
  });
}

/** The names on the certificate that is shown for this name. */
function shownFor(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(
      { port, host: "127.0.0.1", servername, rejectUnauthorized: false },
      () => {
        resolve(socket.getPeerCertificate().subjectaltname ?? "");
        socket.end();
      },
    );
    socket.on("error", reject);
  });
}

interface Answer {
  readonly headers: Record<string, unknown>;
  readonly body: string;
  readonly trailers: Record<string, unknown>;
  readonly interim: number[];
}

function ask(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: readonly string[] = [],
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body.length === 0 });
    const answer = { headers: {}, body: "", trailers: {}, interim: [] as number[] };
    stream.setEncoding("latin1");
    stream.on("response", (list) => answer.headers = { ...list });
    stream.on("headers", (list) => answer.interim.push(Number(list[":status"])));
    stream.on("data", (text) => answer.body += text);
    stream.on("trailers", (list) => answer.trailers = { ...list });
    stream.on("end", () => resolve(answer));
    stream.on("error", reject);
    // After a response this says nothing new: the promise is settled.
    stream.on("close", () => reject(new Error(`the stream was closed: ${stream.rstCode}`)));
    session.once("close", () => reject(new Error("the session was closed")));
    for (const part of body) stream.write(Buffer.from(part, "latin1"));
    if (body.length > 0) stream.end();
  });
}

async function withSession(port: number, run: (session: ClientHttp2Session) => Promise<void>) {
  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on("error", () => {});
  session.setMaxListeners(0);
  try {
    await run(session);
  } finally {
    session.destroy();
  }
}

tlsTest("each name gets its own certificate, unknown ones the first", async () => {
  await using backend = answering(() => ok("fine"));
  const files = [await certify("one", "a.test", "*.a.test"), await certify("two", "b.test")];
  await using ingress = await secureIngress(backend, files);
  const port = ingress.httpsPort!;
  assertEquals(await shownFor(port, "b.test"), "DNS:b.test");
  assertEquals(await shownFor(port, "A.test"), "DNS:a.test, DNS:*.a.test");
  assertEquals(await shownFor(port, "x.a.test"), "DNS:a.test, DNS:*.a.test");
  assertEquals(await shownFor(port, "other.test"), "DNS:a.test, DNS:*.a.test");
});

tlsTest("fetch works over HTTPS, plain requests are redirected, HSTS is said", async () => {
  let seen = "";
  await using backend = answering(({ head }) => {
    seen = head;
    return ok("fine");
  });
  const files = [await certify("local", "localhost", "127.0.0.1")];
  await using ingress = await secureIngress(backend, files);
  const caCerts = [await Deno.readTextFile(files[0]!.certificate)];
  using client = Deno.createHttpClient({ caCerts });
  const response = await fetch(`https://localhost:${ingress.httpsPort}/a`, { client });
  assertEquals(await response.text(), "fine");
  assertEquals(response.headers.get("strict-transport-security"), "max-age=3600");
  assertMatch(seen, /\r\nX-Forwarded-Proto: https\r\n/);
  const plain = await exchange(
    ingress.httpPort,
    "GET /a?b HTTP/1.1\r\nHost: shop.test:80\r\nConnection: close\r\n\r\n",
  );
  assertMatch(plain, /^HTTP\/1\.1 308 /);
  assert(plain.includes(`\r\nLocation: https://shop.test:${ingress.httpsPort}/a?b\r\n`));
});

tlsTest("a certificate that changes is shown without dropping a connection", async () => {
  await using backend = answering(() => ok("fine"));
  const files = [await certify("changing", "old.test")];
  await using ingress = await secureIngress(backend, files);
  const port = ingress.httpsPort!;
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  let heard = "";
  socket.on("data", (data) => heard += data);
  const request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
  socket.write(request);
  await eventually("the first answer", () => heard.split("fine").length === 2);
  await Deno.writeTextFile(files[0]!.certificate, "rubbish");
  await eventually(
    "rubbish is not taken",
    async () => await shownFor(port, "x") === "DNS:old.test",
  );
  await certify("changing", "new.test");
  await eventually("the new certificate", async () => await shownFor(port, "x") === "DNS:new.test");
  socket.write(request);
  await eventually("the second answer", () => heard.split("fine").length === 3);
  socket.destroy();
});

tlsTest("files that do not belong together are refused at the start", async () => {
  await using backend = answering(() => ok("fine"));
  const one = await certify("mixed-one", "a.test");
  const two = await certify("mixed-two", "a.test");
  const mixed = [{ certificate: one.certificate, key: two.key }];
  const error = await assertRejects(() => secureIngress(backend, mixed), Failure);
  assertMatch(error.message, /mixed-one\.pem with .*mixed-two\.key/);
  const missing = [{ certificate: `${folder}/none.pem`, key: two.key }];
  assertMatch(
    (await assertRejects(() => secureIngress(backend, missing), Failure)).message,
    /none\.pem/,
  );
});

tlsTest("HTTP/2 carries requests, bodies, trailers, interim and empty responses", async () => {
  let seen = { head: "", body: "" };
  await using backend = answering((request) => {
    seen = request;
    if (request.head.includes(" /empty")) return "HTTP/1.1 204 No Content\r\n\r\n";
    if (request.head.includes(" /early")) {
      return `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok("late")}`;
    }
    if (request.head.includes(" /trailers")) {
      return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n" +
        "3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n";
    }
    return ok("fine", "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  });
  await using ingress = await secureIngress(backend, [await certify("h2", "127.0.0.1")]);
  await withSession(ingress.httpsPort!, async (session) => {
    const plain = await ask(session, { ":path": "/a?b", cookie: "x=y" });
    assertEquals([plain.headers[":status"], plain.body], [200, "fine"]);
    assertEquals(plain.headers["set-cookie"], ["a=1", "b=2"]);
    assertMatch(seen.head, /^GET \/a\?b HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
    assertMatch(seen.head, /\r\ncookie: x=y\r\n/);
    const length = await ask(session, { ":path": "/", ":method": "POST", "content-length": "6" }, [
      "abc",
      "def",
    ]);
    assertEquals([length.body, seen.body], ["fine", "abcdef"]);
    // Deno's HTTP/2 client does not send trailers after content; ingress/http2_test.ts has them.
    const chunked = await ask(session, { ":path": "/", ":method": "POST" }, ["abc"]);
    assertEquals([chunked.body, seen.body], ["fine", "3\r\nabc\r\n0\r\n\r\n"]);
    const trailed = await ask(session, { ":path": "/trailers" });
    assertEquals([trailed.body, trailed.trailers["x-sum"]], ["abc", "7"]);
    assertEquals(trailed.headers["x-hop"], undefined);
    const early = await ask(session, { ":path": "/early" });
    assertEquals([early.interim, early.body], [[103], "late"]);
    assertEquals((await ask(session, { ":path": "/empty" })).headers[":status"], 204);
    const head = await ask(session, { ":path": "/", ":method": "HEAD" });
    assertEquals([head.headers["content-length"], head.body], ["4", ""]);
    const many = await Promise.all(
      Array.from({ length: 200 }, (_, number) => ask(session, { ":path": `/${number}` })),
    );
    assert(many.every(({ body }) => body === "fine"));
  });
});

tlsTest("HTTP/2 requests that are malformed are reset and reach no replica", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await secureIngress(backend, [await certify("h2-bad", "127.0.0.1")]);
  // Each on a session of its own: some end the whole of it.
  const bad: [Record<string, string>, string[]][] = [
    [{ ":path": "/", ":method": "POST", "content-length": "2" }, ["abc"]],
    [{ ":path": "/", ":method": "POST", "content-length": "5" }, ["abc"]],
    [{ ":path": "/", ":method": "POST", "content-length": "x" }, ["abc"]],
  ];
  for (const [headers, body] of bad) {
    await withSession(ingress.httpsPort!, async (session) => {
      await assertRejects(() => ask(session, headers, body), Error, "", JSON.stringify(headers));
    });
  }
  await withSession(ingress.httpsPort!, async (session) => {
    assertEquals((await ask(session, { ":path": "/" })).body, "fine");
  });
  assertEquals(backend.requests, 1);
});

tlsTest("a response cut short resets the HTTP/2 stream, others go on", async () => {
  await using backend = openBackend(async (wire) => {
    const request = await wire.readRequest();
    if (request === null) return;
    if (request.head.includes("/short")) {
      await wire.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    } else await wire.write(ok("fine"));
  });
  await using ingress = await secureIngress(backend, [await certify("h2-short", "127.0.0.1")]);
  await withSession(ingress.httpsPort!, async (session) => {
    await assertRejects(() => ask(session, { ":path": "/short" }));
    assertEquals((await ask(session, { ":path": "/" })).body, "fine");
  });
});

tlsTest("many requests on one session, and a client that resets streams without end", async () => {
  await using backend = openBackend(async (wire) => {
    for (;;) {
      const request = await wire.readRequest();
      if (request === null) return;
      if (request.head.includes("/never")) await wire.readAll();
      else await wire.write(ok("fine"));
    }
  });
  await using ingress = await secureIngress(backend, [await certify("h2-many", "127.0.0.1")]);
  const port = ingress.httpsPort!;
  await withSession(port, async (session) => {
    for (let round = 0; round < 30; round++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => ask(session, { ":path": "/" })),
      );
      assert(answers.every(({ body }) => body === "fine"));
    }
  });
  await withSession(port, async (session) => {
    for (let round = 0; round < 30 && !session.closed && !session.destroyed; round++) {
      const streams = Array.from({ length: 50 }, () => session.request({ ":path": "/never" }));
      for (const stream of streams) stream.on("error", () => {});
      await new Promise((resolve) => setTimeout(resolve, 10));
      for (const stream of streams) stream.close(http2.constants.NGHTTP2_CANCEL);
    }
    await eventually("the session is ended", () => session.closed || session.destroyed);
  });
  await withSession(port, async (session) => {
    assertEquals((await ask(session, { ":path": "/" })).body, "fine");
  });
});

tlsTest("large bodies pass through HTTP/2 both ways", async () => {
  const large = "0123456789abcdef".repeat(65_536);
  let received = 0;
  await using backend = openBackend(async (wire) => {
    for (;;) {
      const request = await wire.readRequest();
      if (request === null) return;
      received = request.body.length;
      await wire.write(ok(large));
    }
  });
  await using ingress = await secureIngress(backend, [await certify("h2-large", "127.0.0.1")]);
  await withSession(ingress.httpsPort!, async (session) => {
    const { body } = await ask(
      session,
      { ":path": "/", ":method": "PUT", "content-length": String(large.length) },
      [large],
    );
    assert(body === large, `${body.length} of ${large.length}`);
    assertEquals(received, large.length);
  });
});

tlsTest("a WebSocket works through TLS", async () => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(`echo ${data}`);
    return response;
  });
  const files = [await certify("ws", "localhost")];
  await using ingress = await testIngress({
    routes: [route("/", "chat")],
    endpoints: [endpoint("chat", server.addr.port)],
    tls: { port: 0, files, hstsS: 0, redirect: false },
  });
  using client = Deno.createHttpClient({
    caCerts: [await Deno.readTextFile(files[0]!.certificate)],
  });
  const socket = new WebSocket(`wss://localhost:${ingress.httpsPort}/`, { client } as never);
  const heard = await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send("one");
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
  });
  assertEquals(heard, "echo one");
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
  await server.shutdown();
});

/** An HTTP/2 frame (RFC 9113 4.1). */
function frame(
  type: number,
  flags: number,
  stream: number,
  payload: readonly number[] = [],
): number[] {
  const { length } = payload;
  const id = [stream >>> 24, stream >>> 16, stream >>> 8, stream].map((byte) => byte & 255);
  return [length >> 16, length >> 8 & 255, length & 255, type, flags, ...id, ...payload];
}

tlsTest("frames that break HTTP/2 end their own connection at most", async () => {
  await using backend = answering(() => ok("fine"));
  const files = [await certify("h2-frames", "localhost")];
  await using ingress = await secureIngress(backend, files, { timeouts: { idleMs: 300 } });
  const port = ingress.httpsPort!;
  const caCerts = [await Deno.readTextFile(files[0]!.certificate)];
  // GET https://a.test/ in HPACK.
  const list = [0x82, 0x87, 0x84, 0x41, 6, ...new TextEncoder().encode("a.test")];
  const bad: Record<string, number[]> = {
    "DATA on stream 0": frame(0, 0, 0, [1]),
    "DATA on a closed stream": frame(0, 0, 1, [1]),
    "HEADERS on stream 0": frame(1, 5, 0, list),
    "HEADERS on an even stream": frame(1, 5, 2, list),
    "HEADERS on an old stream": frame(1, 5, 1, list),
    "HEADERS that are no HPACK": frame(1, 5, 9_999, [255, 255, 255, 255, 255]),
    "PRIORITY on itself": frame(2, 0, 1, [0, 0, 0, 1, 0]),
    "RST_STREAM of an idle stream": frame(3, 0, 99_999, [0, 0, 0, 1]),
    "SETTINGS of 3 bytes": frame(4, 0, 0, [1, 2, 3]),
    "PUSH_PROMISE from a client": frame(5, 4, 1, [0, 0, 0, 2, ...list]),
    "PING of 3 bytes": frame(6, 0, 0, [1, 2, 3]),
    "GOAWAY": frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]),
    "WINDOW_UPDATE of 0": frame(8, 0, 0, [0, 0, 0, 0]),
    "CONTINUATION of nothing": frame(9, 4, 1, list),
    "a frame of 16 MB": [0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1],
  };
  for (const [name, bytes] of Object.entries(bad)) {
    for (const requests of [0, 3, 100]) {
      const connection = await Deno.connectTls({
        hostname: "localhost",
        port,
        caCerts,
        alpnProtocols: ["h2"],
      });
      const preface = [...new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")];
      const good = Array.from({ length: requests }, (_, at) => frame(1, 5, 2 * at + 1, list))
        .flat();
      await connection.write(Uint8Array.from([...preface, ...frame(4, 0, 0), ...good, ...bytes]));
      const buffer = new Uint8Array(65_536);
      while (await connection.read(buffer).catch(() => null) !== null);
      connection.close();
    }
    const plain = await exchange(
      ingress.httpPort,
      "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
    );
    assertMatch(plain, /^HTTP\/1\.1 308 /, name);
  }
});

tlsTest("at the bound of connections further streams are refused, and may come again", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  await using backend = answering(async () => {
    await held;
    return ok("late");
  });
  const files = [await certify("h2-bound", "127.0.0.1")];
  await using ingress = await secureIngress(backend, files, { maxConnections: 3 });
  await withSession(ingress.httpsPort!, async (session) => {
    const codes: number[] = [];
    const streams = Array.from({ length: 5 }, () => session.request({ ":path": "/" }));
    const ends = streams.map((stream) => {
      stream.on("error", () => {});
      stream.resume();
      return new Promise<void>((resolve) =>
        stream.on("close", () => {
          codes.push(stream.rstCode);
          resolve();
        })
      );
    });
    await eventually("two are refused", () => codes.length === 2);
    assertEquals(codes, [http2.constants.NGHTTP2_REFUSED_STREAM, 7]);
    release();
    await Promise.all(ends);
    assertEquals(codes.slice(2), [0, 0, 0]);
    assertEquals((await ask(session, { ":path": "/" })).body, "late");
  });
});

tlsTest("a PROXY header before TLS names the client, if a trusted peer sends it", async () => {
  let seen = "";
  await using backend = answering(({ head }) => {
    seen = head;
    return ok("fine");
  });
  const files = [await certify("proxied", "localhost")];
  const more = { proxyProtocol: true, timeouts: { headMs: 500 } };
  const trusted = [parseCidr("127.0.0.0/8")!];
  await using ingress = await secureIngress(backend, files, { ...more, trusted });
  await using stranger = await secureIngress(backend, files, more);
  const curl = async (port: number, ...args: string[]) => {
    const { code, stdout } = await new Deno.Command("curl", {
      args: ["-sS", "-m", "5", "--cacert", files[0]!.certificate, ...args]
        .concat(`https://localhost:${port}/`),
      stderr: "null",
    }).output();
    return `${code} ${new TextDecoder().decode(stdout)}`;
  };
  const hasCurl = await curl(1).then(() => true, () => false);
  if (!hasCurl) return console.log("not run: curl is not installed");
  for (const version of ["--http1.1", "--http2"]) {
    for (let time = 0; time < 5; time++) {
      const said = await curl(ingress.httpsPort!, version, "--haproxy-protocol");
      assertEquals(said, "0 fine", version);
    }
    assertMatch(seen, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
    assertMatch(seen, /\r\nX-Forwarded-Proto: https\r\n/);
    // Nobody else is asked for one, or believed.
    assertEquals(await curl(stranger.httpsPort!, version), "0 fine");
    assertMatch(await curl(stranger.httpsPort!, version, "--haproxy-protocol"), /^[1-9]/);
    assertMatch(await curl(ingress.httpsPort!, version), /^[1-9]/);
  }
  // Who says nothing is closed in time.
  const silent = await Deno.connect({ hostname: "127.0.0.1", port: ingress.httpsPort! });
  assertEquals(await silent.read(new Uint8Array(10)).catch(() => null), null);
  silent.close();
  assert(ingress.metrics.tlsFailures > 0);
});
