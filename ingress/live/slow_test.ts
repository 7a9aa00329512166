// Clients that are slow on purpose: each costs little, is closed in time, and is nobody else's trouble.
// Row 5 of the scoreboard of faults; `deno task bench slow-clients` measures the others' p99.

import { assert, assertEquals, assertMatch } from "@std/assert";
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
  type Wire,
} from "./testing.ts";

const GOOD = "GET /good HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
const HEAD_MS = 1_500;

/** Sends byte after byte until the other side has had enough; resolves to what it said. */
async function dribble(wire: Wire, text: string, everyMs: number): Promise<string> {
  let ended = false;
  const said = wire.readAll().then((text) => {
    ended = true;
    return text;
  });
  for (let at = 0; !ended; at = (at + 1) % text.length) {
    try {
      await wire.write(text[at]!);
    } catch {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return await said;
}

Deno.test("1,000 heads that never end are closed in time, others are served all the while", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
    timeouts: { headMs: HEAD_MS, idleMs: HEAD_MS },
  });
  const slow = await Promise.all(Array.from({ length: 1_000 }, () => connect(ingress.httpPort)));
  const ends = slow.map(async (wire, at) => {
    await wire.write("GET / HTTP/1.1\r\nHost: a.test\r\n");
    return await dribble(wire, `X-${at}: aaaaaaaaaa\r\n`, 100);
  });
  let open = true;
  const all = Promise.all(ends).finally(() => open = false);
  let served = 0;
  while (open) {
    assertMatch(await exchange(ingress.httpPort, GOOD), /fine$/);
    served++;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const text of await all) assertMatch(text, /^(HTTP\/1\.1 408 [^]*)?$/);
  assert(served > 1, `only ${served} were served meanwhile`);
  await eventually("nobody is left", () => ingress.metrics.connections === 0);
  assertEquals(backend.requests, served);
});

Deno.test("a body that dribbles holds no replica, whether it is gathered or passed on", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
    timeouts: { bodyMs: 800 },
  });
  const heads = [
    "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n",
  ];
  const answers = await Promise.all(heads.map(async (head) => {
    using wire = await connect(ingress.httpPort);
    await wire.write(head);
    return await dribble(wire, "z", 50);
  }));
  const chunks = await (async () => {
    using wire = await connect(ingress.httpPort);
    await wire.write("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    return await dribble(wire, "1\r\nz\r\n", 20);
  })();
  for (const text of [...answers, chunks]) assertMatch(text, /^(HTTP\/1\.1 408 [^]*)?$/);
  await eventually(
    "nothing is under way",
    () => [...ingress.machine.allReplicas()].every((each) => each.outstanding === 0),
  );
  assertEquals(backend.requests, 0);
  // What comes steadily is not slow, however long it takes.
  using steady = await connect(ingress.httpPort);
  await steady.write("POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n");
  await steady.write("Content-Length: 100000\r\n\r\n");
  for (let at = 0; at < 20; at++) {
    await steady.write("z".repeat(5_000));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertMatch(await steady.readAll(), /fine$/);
});

Deno.test("clients that do not read are closed, and cost no more than what is on its way", async () => {
  const clients = 20;
  const piece = "y".repeat(1_000_000);
  let asked = 0;
  await using backend = openBackend(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    asked++;
    await wire.write("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n");
    for (let at = 0; at < 50; at++) await wire.write(piece);
  });
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
    timeouts: { bodyMs: 500 },
  });
  const before = Deno.memoryUsage().rss;
  const wires = await Promise.all(Array.from({ length: clients }, () => connect(ingress.httpPort)));
  for (const wire of wires) await wire.write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  // The kernels' buffers are filled first, some 10 MB for each, which takes a busy machine its time.
  const withinMs = 60_000;
  await eventually("all have asked", () => asked === clients, withinMs);
  await eventually("all are closed", () => ingress.metrics.connections === 0, withinMs);
  const grown = Deno.memoryUsage().rss - before;
  // 20 times 50 MB were asked for.
  assert(grown < 150_000_000, `${grown} bytes`);
  for (const wire of wires) wire.close();
});

Deno.test("slowhttptest leaves no connection open and the others served", async () => {
  const run = async (...args: string[]): Promise<string | null> => {
    try {
      const { stdout, stderr } = await new Deno.Command("slowhttptest", { args }).output();
      // It colours what it says.
      return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("")
        // deno-lint-ignore no-control-regex
        .replace(/\x1b\[[0-9;]*[A-Za-z]/g, "");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return null;
    }
  };
  const large = "y".repeat(2_000_000);
  await using backend = answering(({ head }) =>
    head.startsWith("GET /good") ? ok("fine") : ok(large)
  );
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
    timeouts: { headMs: 1_000, bodyMs: 1_000, idleMs: 1_000 },
  });
  const url = `http://127.0.0.1:${ingress.httpPort}/`;
  const common = ["-c", "200", "-r", "200", "-l", "15", "-p", "5", "-u", url];
  for (
    const [what, ...args] of [
      ["slow heads", "-H", "-i", "1", "-x", "24"],
      ["slow bodies", "-B", "-i", "1", "-s", "8192", "-x", "10", "-t", "POST"],
      [
        "slow reading",
        "-X",
        "-n",
        "1",
        "-z",
        "32",
        "-k",
        "1",
        "-w",
        "512",
        "-y",
        "1024",
        "-l",
        "5",
      ],
    ]
  ) {
    const attack = run(...common, ...args);
    assertMatch(await exchange(ingress.httpPort, GOOD), /fine$/);
    const said = await attack;
    if (said === null) return console.log("not run: slowhttptest is not installed");
    // What was sent before it is closed the kernel keeps for whoever does not read it.
    if (what !== "slow reading") {
      assertMatch(said, /No open connections left/, `${what}: ${said.slice(-1_500)}`);
    }
    assertMatch(await exchange(ingress.httpPort, GOOD), /fine$/);
  }
  await eventually("nobody is left", () => ingress.metrics.connections === 0);
});
