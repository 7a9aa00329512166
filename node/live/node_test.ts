// The node with real programs, in this process, against a fake conductor and tower.

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { keyPairFromSeed, sign } from "../../core/sign.ts";
import { formatSigned } from "../../core/wire.ts";
import { until } from "./fake_cluster.ts";
import { bench, logOf } from "./testing.ts";

/** A Deno program that serves HTTP; `more` runs first. */
function server(folder: string, more = ""): string {
  const file = `${folder}/server.ts`;
  Deno.writeTextFileSync(
    file,
    `${more}
    Deno.serve({ hostname: Deno.env.get("HOST"), port: Number(Deno.env.get("PORT")), onListen() {} },
      (request) => new Response(new URL(request.url).pathname === "/health" ? "ok" : "hello"));`,
  );
  return `  exec ${Deno.execPath()}\n  args run --no-prompt -A ${file}\n  port 31500`;
}

const HEALTH = "\n  health {\n    check GET /health 200\n    interval 1s\n  }";

function isAlive(pid: number): boolean {
  try {
    // Signal 0 asks only; Deno's types do not know it.
    Deno.kill(pid, 0 as unknown as Deno.Signal);
    return true;
  } catch {
    return false;
  }
}

Deno.test("a Deno server becomes ready, is registered, crashes, is back, is stopped", async () => {
  await using all = await bench();
  const { cluster } = all;
  all.run(server(all.folder) + HEALTH);
  const first = await cluster.state("web-1", "ready");
  const endpoint = await until("registered", () => cluster.endpoints.get("web-1"));
  const page = await fetch(`http://${endpoint.host}:${endpoint.port}/`);
  assertEquals(await page.text(), "hello");

  Deno.kill(first.pid!, "SIGKILL");
  const again = await until("back", () => {
    const status = cluster.statuses.get("web-1");
    return status?.state === "ready" && status.pid !== first.pid ? status : null;
  });
  assertEquals([again.restarts, again.port], [1, first.port]);
  assertEquals([again.exit?.signal, again.exit?.why], ["SIGKILL", "exit"]);
  assert(cluster.heard.some((each) => each.k === "deregister" && each.replica === "web-1"));

  cluster.stop("web-1");
  const end = await cluster.state("web-1", "finished");
  assertEquals(end.exit?.why, "stopped");
  assertEquals(isAlive(again.pid!), false);
});

Deno.test("a program gets exactly the environment it is given", async () => {
  await using all = await bench({ denoDir: "/var/cache/deno" });
  all.run(`  exec env
  restart never
  env {
    PLAIN "two  blanks"
    PPID 7
    IFS ,
    instance 9
    PS1 $$
  }`);
  const { exit } = await all.cluster.state("web-1", "finished");
  assertEquals(exit?.code, 0, exit?.tail);
  const { hostname, port } = all.cluster.tower;
  const lines = await logOf(all, "web-1", (each) => each.some((line) => line.startsWith("APP=")));
  assertEquals(lines.toSorted(), [
    "APP=web",
    "DENO_DIR=/var/cache/deno",
    "DENO_NO_UPDATE_CHECK=1",
    `HOME=${all.folder}/state/replicas/web-1/home`,
    "HOST=127.0.0.1",
    "IFS=,",
    "IP=127.0.0.1",
    "NODE=node-1",
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "PLAIN=two  blanks",
    "PPID=7",
    "PS1=$",
    "REPLICA=0",
    "REPLICA_ID=web-1",
    `SKR8TR_TOWER=http://${hostname}:${port}`,
    "instance=9",
  ]);
});

Deno.test("exit codes, signals and last lines are told", async () => {
  await using all = await bench();
  const cases = [
    ["'echo one; echo two >&2; exit 3'", { code: 3, why: "exit" }, "one\ntwo"],
    ["'kill -SEGV $$$$'", { signal: "SIGSEGV", why: "exit" }, undefined],
    ["'exit 127'", { code: 127, why: "exit" }, undefined],
    ["'exit 98'", { code: 98, why: "exit" }, undefined],
    ["true", { code: 0, why: "exit" }, undefined],
  ] as const;
  for (const [index, [script, exit, tail]] of cases.entries()) {
    const replica = `web-${index}`;
    all.run(`  exec /bin/sh\n  args -c ${script}\n  restart never`, replica);
    const status = await all.cluster.state(replica, "finished");
    const { wallMs: _, ...rest } = status.exit!;
    assertEquals(rest, { ...exit, ...(tail === undefined ? {} : { tail }) } as typeof rest);
  }
});

Deno.test("programs that cannot be started say which way", async () => {
  await using all = await bench();
  const file = (name: string, text: string, mode = 0o755) => {
    Deno.writeTextFileSync(`${all.folder}/${name}`, text, { mode });
    return `${all.folder}/${name}`;
  };
  // An ELF header for a machine that this is not: SPARC.
  const foreign = `${all.folder}/foreign`;
  const head = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0];
  Deno.writeFileSync(foreign, new Uint8Array(head), { mode: 0o755 });
  const cases = [
    ["/no/such/program", "does not exist on this node"],
    ["no-such-program", "is not on the node's path (/usr/local/bin:/usr/bin:/bin)"],
    [all.folder, "is a folder"],
    [file("plain.txt", "hello", 0o644), "is not executable; chmod +x it"],
    [file("noise", "hello"), "begins with neither #! nor"],
    [file("orphan", "#!/no/such/interpreter -x\n"), "/no/such/interpreter, which does not exist"],
    [foreign, "is built for machine 2, this node is"],
    ["/bin/true\n  cwd /no/such/folder", "its folder /no/such/folder does not exist"],
    ["/bin/true\n  user no-such-user", "user no-such-user"],
  ];
  for (const [index, [exec, reason]] of cases.entries()) {
    const replica = `web-${index}`;
    all.run(`  exec ${exec}\n  restart always`, replica);
    const status = await until(`${replica} fails`, () => {
      const each = all.cluster.statuses.get(replica);
      return each?.exit && each.state === "waiting" ? each : null;
    });
    assertEquals(status.exit?.why, "launch");
    assertStringIncludes(status.reason!, reason!);
    all.cluster.stop(replica);
  }
});

Deno.test("a program that goes missing between restarts is told apart from one that exits 127", async () => {
  await using all = await bench();
  const program = `${all.folder}/program`;
  Deno.writeTextFileSync(program, "#!/bin/sh\nsleep 600\n", { mode: 0o755 });
  all.run(`  exec ${program}`);
  const { pid } = await all.cluster.state("web-1", "ready");
  Deno.removeSync(program);
  Deno.kill(pid!, "SIGKILL");
  const status = await until("fails", () => {
    const each = all.cluster.statuses.get("web-1");
    return each?.exit?.why === "launch" ? each : null;
  });
  assertStringIncludes(status.reason!, "not found");
});

Deno.test("stop ends the whole process group, grandchildren that ignore SIGTERM included", async () => {
  await using all = await bench();
  all.run(`  exec /bin/sh
  args -c "trap '' TERM; sleep 600 & echo child $$!; (trap '' TERM; sleep 600 & echo grandchild $$!; wait) & while :; do sleep 600; done"
  grace 300ms`);
  const { pid } = await all.cluster.state("web-1", "ready");
  const lines = await logOf(all, "web-1", (each) => each.length === 2);
  const pids = lines.map((line) => Number(line.split(" ")[1]));
  assert([pid!, ...pids].every(isAlive));
  const from = performance.now();
  all.cluster.stop("web-1");
  const status = await all.cluster.state("web-1", "finished");
  assert(performance.now() - from >= 300);
  assertEquals([status.exit?.why, status.exit?.signal], ["stopped", undefined]);
  await until("all are gone", () => ![pid!, ...pids].some(isAlive));
});

Deno.test("what still waits for its secrets is stopped at once", async () => {
  await using all = await bench();
  // The conductor of this test tells nobody a secret.
  all.run(`  exec /bin/sh\n  args -c "touch ${all.folder}/ran"\n  secret {\n    TOKEN token\n  }`);
  await until("asked", () => all.cluster.statuses.get("web-1")?.state === "starting");
  all.cluster.stop("web-1");
  const { exit } = await all.cluster.state("web-1", "finished");
  assertEquals(exit?.why, "stopped");
  await assertRejects(() => Deno.stat(`${all.folder}/ran`), Deno.errors.NotFound);
});

Deno.test("a program's end takes along what it left in its process group", async () => {
  await using all = await bench();
  all.run("  exec /bin/sh\n  args -c 'sleep 600 & echo $$!; exit 0'\n  restart never");
  await all.cluster.state("web-1", "finished");
  const [line] = await logOf(all, "web-1", (each) => each.length === 1);
  await until("the child is gone", () => !isAlive(Number(line)));
});

Deno.test("the stop signal is the manifest's, and a graceful end keeps its code", async () => {
  await using all = await bench();
  all.run(`  exec /bin/sh
  args -c "trap 'echo bye; exit 5' INT; while :; do sleep 0.05; done"
  stop-signal SIGINT`);
  await all.cluster.state("web-1", "ready");
  all.cluster.stop("web-1");
  const status = await all.cluster.state("web-1", "finished");
  assertEquals([status.exit?.code, status.exit?.tail], [5, "bye"]);
});

Deno.test("an undrained replica is not signalled before its drain time", async () => {
  await using all = await bench();
  all.cluster.undrained.add("web-1");
  all.run(server(all.folder) + HEALTH + "\n  drain 10s");
  const { pid } = await all.cluster.state("web-1", "ready");
  all.cluster.stop("web-1");
  await all.cluster.state("web-1", "stopping");
  await until(
    "asked again",
    () => all.cluster.heard.filter((each) => each.k === "deregister").length >= 4,
  );
  assert(isAlive(pid!));
  all.cluster.undrained.clear();
  await all.cluster.state("web-1", "finished");
});

Deno.test("an unhealthy server is replaced, and says what its probe answered", async () => {
  await using all = await bench();
  const file = `${all.folder}/sick`;
  const sick =
    `const healthy = () => { try { Deno.statSync("${file}"); return false; } catch { return true; } };
    Deno.serve({ hostname: Deno.env.get("HOST"), port: Number(Deno.env.get("PORT")), onListen() {} },
      () => new Response("", { status: healthy() ? 200 : 503 }));`;
  Deno.writeTextFileSync(`${all.folder}/sick.ts`, sick);
  all.run(`  exec ${Deno.execPath()}
  args run --no-prompt -A ${all.folder}/sick.ts
  port 31500
  health {
    check GET /health 200
    interval 1s
    timeout 500ms
    retries 2
  }`);
  const { pid } = await all.cluster.state("web-1", "ready");
  Deno.writeTextFileSync(file, "");
  await until(
    "the reason is told",
    () => all.cluster.history.some((each) => each.reason === "GET /health answered 503, not 200"),
  );
  await until("ended", () => !isAlive(pid!));
  Deno.removeSync(file);
  const status = await until("back", () => {
    const each = all.cluster.statuses.get("web-1");
    return each?.state === "ready" && each.restarts === 1 ? each : null;
  });
  assertEquals(status.exit?.why, "unhealthy");
});

Deno.test("EXEC checks run in the replica's environment, and are killed at their timeout", async () => {
  await using all = await bench();
  const flag = `${all.folder}/slow`;
  all.run(`  exec /bin/sleep
  args 600
  env {
    WORD secret
  }
  health {
    check EXEC test "$WORD$HOME" = "secret${all.folder}/state/replicas/web-1/home" && if [ -e ${flag} ]; then sleep 600; fi
    interval 1s
    timeout 300ms
    retries 1
  }`);
  await all.cluster.state("web-1", "ready");
  Deno.writeTextFileSync(flag, "");
  await until(
    "too slow",
    () => all.cluster.history.some((each) => each.reason?.includes("no answer within 300 ms")),
  );
  Deno.removeSync(flag);
});

Deno.test("a server that listens at another's port is not ready and says whose it is", async () => {
  await using all = await bench();
  // Free for a trial bind on all addresses, and taken a moment later by this very process.
  all.run(`  exec /bin/sh
  args -c "echo $PORT > ${all.folder}/port; sleep 600"
  port 31500
  health {
    check TCP
    interval 1s
  }`);
  const port = Number(
    await until("port", () => {
      try {
        return Deno.readTextFileSync(`${all.folder}/port`).trim();
      } catch {
        return null;
      }
    }),
  );
  using listener = Deno.listen({ hostname: "127.0.0.1", port });
  assertEquals(listener.addr.port, port);
  const status = await until("told", () => {
    const each = all.cluster.statuses.get("web-1");
    return each?.reason?.includes("is answered by") ? each : null;
  });
  assertEquals(status.state, "starting");
  assertStringIncludes(status.reason!, `pid ${Deno.pid} (deno)`);
});

Deno.test("three servers of one app share a node on ports of their own", async () => {
  await using all = await bench();
  const lines = server(all.folder) + HEALTH;
  const sequence = all.cluster.apply("web", `app web\n${lines}\n`);
  for (const index of [0, 1, 2]) all.cluster.run(`web-${index}`, "web", sequence, index);
  const ready = await Promise.all(
    [0, 1, 2].map((each) => all.cluster.state(`web-${each}`, "ready")),
  );
  assertEquals(new Set(ready.map((each) => each.port)).size, 3);
  assert(ready.some((each) => each.port === 31_500), JSON.stringify(ready));
});

Deno.test("a record that an unknown key signed, or that was altered, runs nothing", async () => {
  await using all = await bench();
  const stranger = keyPairFromSeed(new Uint8Array(32).fill(9));
  all.cluster.apply("web", "app web\n  exec /bin/true\n", stranger);
  all.cluster.run("web-1", "web", 1);
  const first = await until("refused", () => all.cluster.refusals.get("web-1"));
  assertMatch(first, /signed by a key \([0-9a-f]{16}\) that is no operator's/);

  all.cluster.apply("web", "app web\n  exec /bin/true\n");
  const good = all.cluster.records.at(-1)!;
  const altered = { ...good, sequence: 3, text: good.text.replace("|web|", "|wab|") };
  all.cluster.append(altered);
  all.cluster.run("web-2", "wab", 3);
  const second = await until("refused", () => all.cluster.refusals.get("web-2"));
  assertStringIncludes(second, "signature that does not verify");
  assertEquals([...all.cluster.history].some((each) => each.pid !== undefined), false);
});

Deno.test("volumes are made and handed over, as root a user is changed to", async () => {
  await using all = await bench();
  all.run(`  exec /bin/sh
  args -c 'echo "$$DATA $$(id -u)"; touch "$$DATA/x"'
  restart never
  volume {
    path data/web
    env DATA
  }`);
  const status = await all.cluster.state("web-1", "finished");
  assertEquals(status.exit?.code, 0, JSON.stringify(status));
  assert(Deno.statSync(`${all.folder}/state/volumes/data/web/x`).isFile);
  // The next generation finds what the one before has left there.
  Deno.writeTextFileSync(`${all.folder}/state/volumes/data/web/x`, "kept");
  all.run(
    `  exec /bin/sh
  args -c 'cat "$$DATA/x"'
  restart never
  volume {
    path data/web
    env DATA
  }`,
    "web-3",
  );
  const next = await all.cluster.state("web-3", "finished");
  assertEquals([next.exit?.code, next.exit?.tail, next.generation], [0, "kept", 2]);
  if (Deno.uid() !== 0) return console.log("not root: the change of user is not tried");
  Deno.chmodSync(all.folder, 0o755);
  all.run(
    `  exec /bin/sh
  args -c 'id -un && touch "$$HOME/x" "$$DATA/x" && ! cat ../../replica.json "$$HOME/../log" 2>/dev/null'
  user nobody
  restart never
  volume {
    path data/nobody
    env DATA
  }`,
    "web-2",
  );
  const { exit } = await all.cluster.state("web-2", "finished");
  assertEquals([exit?.code, exit?.tail], [0, "nobody"]);
});

Deno.test("a signed EXEC runs beside its replica, once; an unsigned, forged or late one does not", async () => {
  await using all = await bench();
  all.run("  exec sleep\n  args 600\n  env { COLOUR green }");
  await all.cluster.state("web-1", "ready");
  const { secretKey } = all.cluster.operator;
  const { hostname, port } = all.node.udp.address;
  const send = async (body: string, replica = "web-1") => {
    const init = { method: "POST", body };
    const response = await fetch(`http://${hostname}:${port}/exec/${replica}`, init);
    return { status: response.status, text: await response.text() };
  };
  // Newer than the node's own start: what is older might have run before it.
  const unixS = Math.floor(Date.now() / 1000) + 2;
  const signed = (command: string, at = unixS, key = secretKey) => {
    const text = `${command}|${at}`;
    return formatSigned(text, sign(key, text));
  };
  const good = signed("EXEC|web|echo $COLOUR a|b; pwd");
  assertEquals((await send(signed("EXEC|web|echo $COLOUR; pwd"))).text, `green\n${all.folder}\n`);
  assertEquals((await send(good)).status, 200);
  assertEquals((await send(good)).status, 403);
  const stranger = keyPairFromSeed(new Uint8Array(32).fill(9)).secretKey;
  for (
    const body of [
      "EXEC|web|echo hello",
      signed("EXEC|web|echo hello", unixS, stranger),
      signed("EXEC|web|echo hello", unixS - 60),
      signed("EXEC|web|echo hello", unixS + 60),
      signed("EXEC|web|echo hello").replace("hello", "hullo"),
    ]
  ) assertEquals((await send(body)).status, 403);
  assertEquals((await send(signed("EXEC|other|echo hello"))).status, 404);
  assertEquals((await send(signed("EXEC|web|echo again"), "web-9")).status, 404);
  assertEquals((await send(signed("EVICT|web"))).status, 400);
});
