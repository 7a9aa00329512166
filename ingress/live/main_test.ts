// The daemon as a process with exactly its permissions.

import { assertEquals, assertMatch } from "@std/assert";
import { answering, endpoint, eventually, exchange, FakeTower, ok, route } from "./testing.ts";

const main = new URL("../main.ts", import.meta.url).pathname;

function start(...args: string[]): Deno.ChildProcess {
  return startWith([], ...args);
}

function startWith(permissions: readonly string[], ...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", ...permissions, main, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function readUntil(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string[]> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    const match = pattern.exec(text);
    if (match) return match;
  }
  throw new Error(`it ended before it said ${pattern}: ${text}`);
}

Deno.test("the ingress serves with --allow-net alone and ends well at SIGTERM", async () => {
  await using backend = answering(() => ok("hello"));
  const process = start(
    "--http",
    "0",
    "--admin",
    "0",
    "--tower",
    "none",
    "--route",
    "/:shop",
    "--upstream",
    `shop=127.0.0.1:${backend.port}`,
    "--access-log",
    "json",
  );
  const [log, logLater] = process.stderr.tee();
  const [, http, admin] = await readUntil(log, /http:\/\/127\.0\.0\.1:(\d+), admin on port (\d+)/);
  const text = await exchange(
    Number(http),
    "GET /a?b HTTP/1.1\r\nHost: a.test\r\nUser-Agent: me\r\nConnection: close\r\n\r\n",
  );
  assertMatch(text, /hello$/);
  const base = `http://127.0.0.1:${admin}`;
  assertEquals(await (await fetch(`${base}/health`)).text(), "ok\n");
  assertMatch(
    await (await fetch(`${base}/metrics`)).text(),
    /skr8tr_ingress_requests_total\{app="shop",route="\/",replica="[^"]+",status="2xx"\} 1/,
  );
  const [line] = await readUntil(process.stdout, /\{.*\}\n/);
  const record = JSON.parse(line!);
  assertEquals(
    [record.method, record.target, record.status, record.userAgent, record.app],
    ["GET", "/a?b", 200, "me", "shop"],
  );
  process.kill("SIGTERM");
  assertEquals((await process.status).code, 0);
  await logLater.cancel();
});

Deno.test("the ingress refuses wrong usage with exit code 2 and says why", async () => {
  for (
    const [args, message] of [
      [["--route", "nonsense"], /--route needs/],
      [["--rate", "/=1/s"], /no --route leads/],
      [["--upstream", "x"], /--upstream needs/],
      [["--access-log", "xml"], /--access-log knows/],
      [["--mesh", "ajar"], /--mesh knows only/],
    ] as const
  ) {
    const process = start("--http", "0", "--admin", "0", ...args);
    const { code, stderr } = await process.output();
    assertEquals(code, 2);
    assertMatch(new TextDecoder().decode(stderr), message);
  }
});

Deno.test("a fixed route's --rate holds for each client, and for that route only", async () => {
  await using backend = answering(() => ok("hello"));
  const process = start(...[
    ...["--http", "0", "--admin", "0", "--tower", "none", "--route", "/:shop"],
    ...["--route", "/login:shop", "--upstream", `shop=127.0.0.1:${backend.port}`],
    ...["--rate", "/login=1/h,burst=2,per=header:x-key"],
  ]);
  const [log, logLater] = process.stderr.tee();
  const [, http] = await readUntil(log, /http:\/\/127\.0\.0\.1:(\d+)/);
  const ask = async (path: string, key: string) => {
    const headers = { "x-key": key };
    const response = await fetch(`http://127.0.0.1:${http}${path}`, { headers });
    await response.body?.cancel();
    return [response.status, response.headers.get("retry-after")];
  };
  const login = (key: string) => ask("/login", key);
  assertEquals([await login("a"), await login("a")], [[200, null], [200, null]]);
  const [status, wait] = await login("a");
  assertEquals(status, 429);
  assertMatch(String(wait), /^3[56]\d\d$/);
  assertEquals((await login("b"))[0], 200, "another client");
  assertEquals((await ask("/", "a"))[0], 200, "another route");
  process.kill("SIGTERM");
  assertEquals((await process.status).code, 0);
  await logLater.cancel();
  await process.stdout.cancel();
});

Deno.test("a port that is taken is named", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const process = start("--http", String(port), "--admin", "0", "--tower", "none");
  const { code, stderr } = await process.output();
  assertEquals(code, 2);
  assertMatch(new TextDecoder().decode(stderr), new RegExp(`TCP 127\\.0\\.0\\.1:${port}`));
  taken.close();
});

Deno.test("two workers serve one port and add up their figures", async () => {
  await using backend = answering(() => ok("hello"));
  const folder = new URL("../", import.meta.url).pathname;
  const core = new URL("../../core/", import.meta.url).pathname;
  const args = [
    ...["--workers", "2", "--http", "0", "--admin", "0", "--tower", "none", "--route", "/:shop"],
    ...["--upstream", `shop=127.0.0.1:${backend.port}`],
  ];
  const process = startWith([`--allow-read=${folder},${core}`], ...args);
  const [log, logLater] = process.stderr.tee();
  const [, http, admin] = await readUntil(log, /http:\/\/127\.0\.0\.1:(\d+), admin on port (\d+)/);
  const request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
  const texts = await Promise.all(
    Array.from({ length: 60 }, () => exchange(Number(http), request)),
  );
  for (const text of texts) assertMatch(text, /hello$/);
  const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  assertMatch(metrics, /skr8tr_ingress_requests_total\{[^}]*status="2xx"\} 60\n/);
  assertMatch(metrics, /skr8tr_ingress_request_seconds_count\{[^}]*\} 60\n/);
  process.kill("SIGTERM");
  assertEquals((await process.status).code, 0);
  await logLater.cancel();
  await process.stdout.cancel();
});

Deno.test("each worker tells the tower its own figures, under a name and a start of its own", async () => {
  await using backend = answering(() => ok("hello"));
  await using tower = FakeTower.complete([endpoint("shop", backend.port)], [route("/", "shop")]);
  const folder = new URL("../", import.meta.url).pathname;
  const core = new URL("../../core/", import.meta.url).pathname;
  const process = startWith([`--allow-read=${folder},${core}`], ...[
    ...[
      "--workers",
      "2",
      "--http",
      "0",
      "--admin",
      "0",
      "--mesh",
      "open",
      "--tower",
      tower.address,
    ],
    ...["--name", "edge"],
  ]);
  const [log, logLater] = process.stderr.tee();
  const [, http] = await readUntil(log, /http:\/\/127\.0\.0\.1:(\d+), admin on port (\d+)/);
  await eventually("both watch", () => tower.watchers === 2, 10_000);
  const request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
  await Promise.all(Array.from({ length: 60 }, () => exchange(Number(http), request)));
  const told = () => tower.messages.filter((each) => each.k === "figures");
  const latest = () =>
    ["edge", "edge-2"].map((name) =>
      told().filter((each) => each.name === name).flatMap((each) => each.apps)
        .findLast((each) => each.app === "shop")?.requests ?? 0
    );
  await eventually("all are counted", () => latest().reduce((sum, each) => sum + each) === 60);
  assertEquals(new Set(told().map((each) => `${each.name} ${each.boot}`)).size, 2);
  process.kill("SIGTERM");
  assertEquals((await process.status).code, 0);
  await logLater.cancel();
  await process.stdout.cancel();
});

Deno.test("a public address for HTTP asks for no open mesh", async () => {
  const process = start("--http", "0.0.0.0:0", "--admin", "0", "--tower", "none");
  const [log, logLater] = process.stderr.tee();
  const [, http] = await readUntil(log, /http:\/\/0\.0\.0\.0:(\d+), admin on port (\d+)/);
  assertMatch(await exchange(Number(http), "GET / HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 404 /);
  process.kill("SIGTERM");
  assertEquals((await process.status).code, 0);
  await logLater.cancel();
  await process.stdout.cancel();
});

Deno.test("workers that may not read their code are a clear error", async () => {
  const process = start("--workers", "2", "--http", "0", "--admin", "0", "--tower", "none");
  const { code, stderr } = await process.output();
  assertEquals(code, 2);
  assertMatch(new TextDecoder().decode(stderr), /allowed to read ingress\/ and core\//);
});
