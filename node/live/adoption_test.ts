// Node daemons as real processes, killed and started again: what they run must not notice.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createPrng } from "../../core/prng.ts";
import { DaemonBench } from "./daemon_bench.ts";
import { readText } from "./files.ts";
import { until } from "./fake_cluster.ts";

const SLEEP = "  exec sleep\n  args 600";

/** The replica's next status of another boot of the daemon. */
function adopted(bench: DaemonBench, replica: string, boot: string) {
  const { cluster } = bench;
  return until(() => `${replica} adopted\n${bench.log}`, () => {
    const status = cluster.beat?.boot !== boot ? cluster.statuses.get(replica) : undefined;
    return status?.state === "ready" ? status : null;
  });
}

Deno.test("a daemon that is killed and started again adopts, watches and stops what runs", async () => {
  await using bench = new DaemonBench();
  const { cluster } = bench;
  bench.start();
  const sequence = cluster.apply("web", `app web\n${SLEEP}\n  port 32450\n`);
  assertEquals(sequence, 1);
  const loud = cluster.apply(
    "loud",
    "app loud\n  exec /bin/sh\n  args -c 'while :; do echo $$$$; sleep 0.05; done'\n",
  );
  cluster.run("loud-1", "loud", loud);
  const before = await cluster.state("loud-1", "ready");
  const boot = cluster.beat!.boot;
  await bench.kill();
  bench.start();
  const after = await adopted(bench, "loud-1", boot);
  assertEquals([after.pid, after.restarts], [before.pid, 0]);

  // Its logs go on, its crash is noticed, and it is started again.
  const { host, port } = cluster.beat!;
  await until("its log goes on", async () => {
    const answer = await fetch(`http://${host}:${port}/logs/loud-1?lines=1000`);
    const lines = (await answer.text()).trim().split("\n");
    return lines.length > 3 && lines.every((line) => JSON.parse(line).line === String(before.pid));
  });
  Deno.kill(before.pid!, "SIGKILL");
  const again = await until("started again", () => {
    const status = cluster.statuses.get("loud-1");
    return status?.state === "ready" && status.pid !== before.pid ? status : null;
  });
  assertEquals(again.exit?.signal, "SIGKILL");
  cluster.stop("loud-1");
  await cluster.state("loud-1", "finished");
  // What the launcher killed last may take a moment to be gone.
  await until("nothing runs", () => bench.programs().size === 0);
});

Deno.test("what ended while no daemon lived is told with its code and started again", async () => {
  await using bench = new DaemonBench();
  const { cluster } = bench;
  bench.start();
  const script =
    `  exec /bin/sh\n  args -c 'echo up; while [ ! -e ${bench.folder}/end ]; do sleep 0.02; done; echo down; exit 7'`;
  cluster.run("job-1", "job", cluster.apply("job", `app job\n${script}\n  restart never\n`));
  cluster.run("web-1", "web", cluster.apply("web", `app web\n${script}\n`));
  await cluster.state("job-1", "ready");
  await cluster.state("web-1", "ready");
  await bench.kill();
  Deno.writeTextFileSync(`${bench.folder}/end`, "");
  await until("both have ended", () => bench.programs().size === 0);
  Deno.removeSync(`${bench.folder}/end`);
  bench.start();
  const job = await cluster.state("job-1", "finished");
  assertEquals([job.exit?.code, job.exit?.why, job.exit?.tail], [7, "exit", "up\ndown"]);
  const web = await until("started again", () => {
    const status = cluster.statuses.get("web-1");
    return status?.state === "ready" && status.restarts === 1 ? status : null;
  });
  assertEquals(web.exit?.code, 7);
});

Deno.test("an order to stop is carried out by the next daemon", async () => {
  await using bench = new DaemonBench();
  const { cluster } = bench;
  bench.start();
  cluster.undrained.add("web-1");
  cluster.run(
    "web-1",
    "web",
    cluster.apply(
      "web",
      `app web\n  exec ${Deno.execPath()}
  args eval "Deno.serve({hostname: Deno.env.get('HOST'), port: Number(Deno.env.get('PORT'))}, () => new Response())"
  port 32460
  drain 1h\n`,
    ),
  );
  await cluster.state("web-1", "ready");
  cluster.stop("web-1");
  await cluster.state("web-1", "stopping");
  await bench.kill();
  assertEquals(bench.programs().size, 1);
  bench.start();
  await cluster.state("web-1", "finished");
  assertEquals(bench.programs().size, 0);
});

Deno.test("a launcher that was killed alone leaves no program behind", async () => {
  await using bench = new DaemonBench();
  const { cluster } = bench;
  bench.start();
  cluster.run("web-1", "web", cluster.apply("web", `app web\n${SLEEP}\n`));
  const { pid } = await cluster.state("web-1", "ready");
  const launcher = () =>
    Number(Deno.readTextFileSync(`${bench.state}/replicas/web-1/pid`).split(" ")[1]);
  Deno.kill(launcher(), "SIGKILL");
  const status = await until("started again", () => {
    const each = cluster.statuses.get("web-1");
    return each?.state === "ready" && each.pid !== pid ? each : null;
  });
  assertEquals([status.exit?.why, status.exit?.code], ["lost", undefined]);
  assertEquals(bench.programs().get("web-1"), [status.pid]);

  // The same while no daemon watches.
  const boot = cluster.beat!.boot;
  await bench.kill();
  Deno.kill(launcher(), "SIGKILL");
  bench.start();
  const next = await adopted(bench, "web-1", boot);
  assertEquals(bench.programs().get("web-1"), [next.pid]);
  assert(next.pid !== status.pid);
});

Deno.test("SIGTERM leaves replicas running, with --stop-replicas it takes them along", async () => {
  await using bench = new DaemonBench();
  const { cluster } = bench;
  bench.start();
  cluster.run("web-1", "web", cluster.apply("web", `app web\n${SLEEP}\n`));
  const { pid } = await cluster.state("web-1", "ready");
  const boot = cluster.beat!.boot;
  assertEquals(await bench.stop(), 0);
  assertEquals(bench.programs().get("web-1"), [pid]);
  bench.start(["--stop-replicas"]);
  assertEquals((await adopted(bench, "web-1", boot)).pid, pid);
  assertEquals(await bench.stop("SIGINT"), 0);
  assertEquals(bench.programs().size, 0);
});

Deno.test("damaged state is reported, never silently empty, and its program does not run twice", async () => {
  await using bench = new DaemonBench();
  const { cluster } = bench;
  bench.start();
  cluster.run("web-1", "web", cluster.apply("web", `app web\n${SLEEP}\n`));
  const { pid } = await cluster.state("web-1", "ready");
  await bench.kill();
  const path = `${bench.state}/replicas/web-1/replica.json`;
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path).slice(0, 40));
  cluster.forget();
  bench.start();
  await until("reported", () => bench.log.includes("the state of web-1"));
  await until("ended", () => bench.programs().size === 0);
  await until("set aside", () => readText(`${path}.damaged`) !== undefined);
  cluster.run("web-1", "web", 1);
  const status = await cluster.state("web-1", "ready");
  assertEquals(bench.programs().get("web-1"), [status.pid]);
  assert(status.pid !== pid);
});

Deno.test("files of a launcher that are lost or damaged cost no replica and hang no start", async () => {
  await using bench = new DaemonBench();
  const { cluster } = bench;
  bench.start();
  cluster.run("web-1", "web", cluster.apply("web", `app web\n${SLEEP}\n`));
  const { pid } = await cluster.state("web-1", "ready");
  const folder = `${bench.state}/replicas/web-1`;
  const whole = Deno.readTextFileSync(`${folder}/pid`);
  const damages: [string, string | null][] = [
    ["pid", null],
    ["pid", ""],
    ["pid", whole.slice(0, 3)],
    ["pid", "\0\0\0\0"],
    ["pid", whole.replace(/^1 /, "9 ")],
    ["fence", "\0"],
    ["exit", "1 0\n"],
    ["exit", "garbage"],
    ["log", null],
  ];
  for (const [file, text] of damages) {
    const { boot } = cluster.beat!;
    await bench.kill();
    if (text === null) Deno.removeSync(`${folder}/${file}`);
    else Deno.writeTextFileSync(`${folder}/${file}`, text);
    bench.start();
    const status = await adopted(bench, "web-1", boot);
    assertEquals([status.state, status.pid], ["ready", pid], `${file} ${text}`);
    assertEquals(bench.programs().get("web-1"), [pid], `${file} ${text}`);
  }
  // It is followed to its end all the same.
  cluster.stop("web-1");
  await cluster.state("web-1", "finished");
  assertEquals(bench.programs().size, 0);
});

Deno.test("a replica whose folder or state was removed is found and ended, and runs once again", async () => {
  await using bench = new DaemonBench();
  const { cluster } = bench;
  bench.start();
  const sequence = cluster.apply("web", `app web\n${SLEEP}\n`);
  for (const [number, gone] of ["", "/replica.json", "/lock"].entries()) {
    const replica = `web-${number + 1}`;
    cluster.run(replica, "web", sequence);
    const { pid } = await cluster.state(replica, "ready");
    await bench.kill();
    Deno.removeSync(`${bench.state}/replicas/${replica}${gone}`, { recursive: true });
    cluster.forget();
    bench.start();
    await until(`${replica} has ended without its ${gone}`, () => {
      return !bench.programs().get(replica)?.includes(pid!);
    });
    cluster.run(replica, "web", sequence);
    const status = await cluster.state(replica, "ready");
    assertEquals(bench.programs().get(replica), [status.pid], gone);
    cluster.stop(replica);
    await cluster.state(replica, "finished");
    assertEquals(bench.programs().size, 0);
  }
});

Deno.test("a second daemon on the same state folder refuses to start", async () => {
  await using bench = new DaemonBench();
  bench.start();
  await until("first beat", () => bench.cluster.beat);
  const first = bench.daemon;
  bench.start();
  assertEquals((await bench.daemon.status).code, 2);
  await until("told", () => bench.log.includes("another node daemon uses the state folder"));
  first.kill("SIGKILL");
  await first.status;
});

/** A daemon that is started on a machine full of other work may take this long for what it does. */
const PATIENCE_MS = 60_000;

Deno.test("after 100 kill -9 at random moments nothing is orphaned and nothing runs twice", async () => {
  const seed = Number(Deno.env.get("SKR8TR_SEED") ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed} (SKR8TR_SEED repeats it)`);
  const prng = createPrng(seed);
  await using bench = new DaemonBench();
  const { cluster } = bench;
  const steady = cluster.apply("steady", `app steady\n${SLEEP}\n`);
  const flaky = cluster.apply("flaky", "app flaky\n  exec sleep\n  args 0.15\n");
  const wanted = new Set<string>();
  const ended = new Set<string>();
  let number = 0;
  const churn = () => {
    if (wanted.size < 6 || prng.below(2) === 0) {
      const app = prng.below(3) === 0 ? "flaky" : "steady";
      const replica = `${app}-${++number}`;
      wanted.add(replica);
      cluster.run(replica, app, app === "flaky" ? flaky : steady);
    } else {
      const replica = [...wanted][prng.below(wanted.size)]!;
      wanted.delete(replica);
      ended.add(replica);
      cluster.stop(replica);
    }
  };
  const checkTwins = (when: string) => {
    for (const [replica, pids] of bench.programs()) {
      assert(pids.length === 1, `${replica} runs ${pids.length} times ${when}`);
    }
  };
  for (let round = 1; round <= 100; round++) {
    bench.start();
    if (prng.below(4) > 0) {
      await until(() => `beat\n${bench.log}`, () => bench.cluster.heard.length > 0, PATIENCE_MS);
    }
    churn();
    await new Promise((resolve) => setTimeout(resolve, prng.below(round % 10 === 0 ? 500 : 250)));
    await bench.kill();
    cluster.heard.length = 0;
    checkTwins(`after kill ${round}`);
  }
  const wrong = () => {
    const programs = bench.programs();
    const missing = [...wanted].filter((each) =>
      !programs.has(each) && !(each.startsWith("flaky") && cluster.statuses.has(each))
    ).map((each) => [each, cluster.statuses.get(each) ?? cluster.refusals.get(each)]);
    return { missing, left: [...ended].filter((each) => programs.has(each)) };
  };
  bench.start(["--stop-replicas"]);
  // All may be well before it is up; then a signal would find it without a handler.
  await until(() => `it beats\n${bench.log}`, () => cluster.heard.length > 0, PATIENCE_MS);
  await until(
    () => `${bench.log}\nwhat is wanted runs, what is not has ended: ${JSON.stringify(wrong())}`,
    () => {
      const { missing, left } = wrong();
      return missing.length + left.length === 0;
    },
    PATIENCE_MS,
  );
  checkTwins("at the end");
  assertEquals(await bench.stop(), 0);
  // What the launcher killed last may take a moment to be gone.
  await until("nothing runs", () => bench.programs().size === 0, PATIENCE_MS);
  assertStringIncludes(bench.log, "adopted");
});
