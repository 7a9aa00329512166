// Runs in the guest: a node with a real cgroup v2 tree, against a fake conductor. Each line that begins
// with `ok` or `FAILED` is a verdict; the test on the host reads them.

import { FakeCluster, until } from "../../node/live/fake_cluster.ts";

/** An emulated machine on a busy one: everything takes its time. */
const SLOW_MS = 180_000;
const TREE = "/sys/fs/cgroup/skr8tr";
const cluster = new FakeCluster();
const state = "/root/state";
cluster.writeKey("/root/operator.pub");

/** Takes memory, a MiB at a time, up to what its file says; with a child that only waits. */
const EATER = `
  new Deno.Command("sleep", { args: ["1000"] }).spawn();
  const held = [];
  for (;;) {
    const want = Number(Deno.readTextFileSync("/root/want"));
    while (held.length < want) held.push(new Uint8Array(2 ** 20).fill(held.length + 1));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }`;
Deno.writeTextFileSync("/root/eater.js", EATER);
Deno.writeTextFileSync("/root/want", "0");

let daemon: Deno.ChildProcess | null = null;

function start(): void {
  const at = ({ hostname, port }: { hostname: string; port: number }) => `${hostname}:${port}`;
  daemon = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-remote",
      "--unstable-worker-options",
      "--unstable-net",
      "--allow-net=127.0.0.0/8,0.0.0.0",
      "--allow-read=/root,/app",
      `--allow-write=${state}`,
      "--allow-run",
      "--allow-env=DENO_DIR,HOME,XDG_CACHE_HOME",
      "/app/node/live/node.js",
      ...["--port", "0", "--metrics", "off", "--name", "guest", "--state", state],
      ...["--conductor", at(cluster.conductor), "--follow", at(cluster.follow)],
      ...["--tower", at(cluster.tower), "--pubkey", "/root/operator.pub", "--mesh", "open"],
      ...["--workdir", "/root", "--path", "/bin"],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

async function kill(): Promise<void> {
  daemon?.kill("SIGKILL");
  await daemon?.status;
  cluster.statuses.clear();
}

function folder(replica: string, instance: number): string {
  const [node] = [...Deno.readDirSync(TREE)].filter((entry) => entry.isDirectory);
  return `${TREE}/${node!.name}/${replica}.${instance}`;
}

const read = (path: string) => Deno.readTextFileSync(path).trim();

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Pids of programs with just these words; a launcher has its program's words and more. */
function processes(text: string): number[] {
  return processesWith((words) => words === text || words === `/bin/${text}`);
}

function processesWith(are: (words: string) => boolean): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      return pid > 0 && are(read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim());
    } catch {
      return false;
    }
  });
}

function oom(replica: string, restarts: number) {
  Deno.writeTextFileSync("/root/want", "300");
  return until(
    () => `oom, is ${JSON.stringify(cluster.statuses.get(replica))}`,
    () => {
      const status = cluster.statuses.get(replica);
      if (status?.exit?.why !== "oom" || status.restarts < restarts) return false;
      Deno.writeTextFileSync("/root/want", "0");
      return status;
    },
    SLOW_MS,
  );
}

const tests: readonly (readonly [string, () => Promise<void>])[] = [
  ["limits are those of the manifest, and the launcher is not under them", async () => {
    const eater = "app web\n  exec deno\n  args run -A /root/eater.js\n  ram 192mb\n  cpu 1.5\n";
    cluster.run("web-1", "web", cluster.apply("web", eater));
    const { pid } = await cluster.state("web-1", "ready", SLOW_MS);
    const at = folder("web-1", 1);
    expect(read(`${at}/memory.max`), String(192 * 2 ** 20));
    expect(read(`${at}/cpu.max`), "150000 100000");
    await until("its child runs", () => processes("sleep 1000").length === 1, SLOW_MS);
    const own = processesWith((words) => words.includes("/root/eater.js")).filter((each) =>
      read(`/proc/${each}/cgroup`).endsWith("/web-1.1")
    );
    expect(own.join(), String(pid));
    const inside = read(`${at}/cgroup.procs`).split("\n").map(Number);
    expect(inside.includes(processes("sleep 1000")[0]!), true);
  }],
  [
    "the kernel ends a program at its memory, children included, and it is told as oom",
    async () => {
      const status = await oom("web-1", 1);
      expect(status.exit?.signal, "SIGKILL");
      await cluster.state("web-1", "ready", SLOW_MS);
      await until(
        "one child is left, the new one's",
        () => processes("sleep 1000").length === 1,
        SLOW_MS,
      );
      await until("the cgroup of the start is gone", () => !exists(folder("web-1", 1)), SLOW_MS);
      expect(read(`${folder("web-1", 2)}/memory.max`), String(192 * 2 ** 20));
    },
  ],
  ["limits outlive the daemon; the next one tells the oom of what it adopted", async () => {
    const { pid } = await cluster.state("web-1", "ready", SLOW_MS);
    await kill();
    start();
    const adopted = await cluster.state("web-1", "ready", SLOW_MS);
    expect(adopted.pid, pid);
    await oom("web-1", adopted.restarts + 1);
    await cluster.state("web-1", "ready", SLOW_MS);
  }],
  ["an oom while no daemon watched is told by the next one", async () => {
    const { pid, restarts } = await cluster.state("web-1", "ready", SLOW_MS);
    await kill();
    Deno.writeTextFileSync("/root/want", "300");
    await until("it ends", () => !exists(`/proc/${pid}`), SLOW_MS);
    Deno.writeTextFileSync("/root/want", "0");
    start();
    await until("told", () => {
      const status = cluster.statuses.get("web-1");
      return status?.exit?.why === "oom" && status.restarts > restarts;
    }, SLOW_MS);
    await cluster.state("web-1", "ready", SLOW_MS);
  }],
  ["an ordinary kill is none", async () => {
    const { pid, restarts } = await cluster.state("web-1", "ready", SLOW_MS);
    Deno.kill(pid!, "SIGKILL");
    await until("told as an exit", () => {
      const status = cluster.statuses.get("web-1");
      return status?.restarts === restarts + 1 && status.exit?.why === "exit";
    }, SLOW_MS);
    cluster.stop("web-1");
    await cluster.state("web-1", "finished", SLOW_MS);
  }],
  ["CPU beyond the limit is not given", async () => {
    const burner = "app hot\n  exec sh\n  args -c 'while :; do :; done'\n  cpu 0.2\n";
    cluster.run("hot-1", "hot", cluster.apply("hot", burner));
    await cluster.state("hot-1", "ready", SLOW_MS);
    const at = folder("hot-1", 1);
    const figure = (key: string) =>
      Number(new RegExp(`^${key} (\\d+)$`, "m").exec(read(`${at}/cpu.stat`))?.[1]);
    await until("it is held back", () => figure("nr_throttled") > 10, SLOW_MS);
    // In each of the kernel's periods at most a fifth: compared with themselves, not with a clock.
    const share = figure("usage_usec") / (figure("nr_periods") * 100_000);
    expect(share < 0.4, true, `it got ${share} of a core`);
    cluster.stop("hot-1");
    await cluster.state("hot-1", "finished", SLOW_MS);
  }],
  ["what fled its process group ends with the replica", async () => {
    const fleeing = "app far\n  exec sh\n  args -c 'setsid sleep 2000 & exec sleep 3000'\n";
    cluster.run("far-1", "far", cluster.apply("far", fleeing));
    await cluster.state("far-1", "ready", SLOW_MS);
    await until("it has fled", () => processes("sleep 2000").length === 1, SLOW_MS);
    cluster.stop("far-1");
    await cluster.state("far-1", "finished", SLOW_MS);
    await until("nothing is left", () => processes("sleep 2000").length === 0, SLOW_MS);
    await until("its cgroup is gone", () => !exists(folder("far-1", 1)), SLOW_MS);
  }],
];

function expect<T>(actual: T, wanted: T, what = ""): void {
  if (actual !== wanted) throw new Error(`${what} ${actual} is not ${wanted}`);
}

start();
for (const [name, test] of tests) {
  try {
    await test();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`FAILED ${name}: ${(error as Error).message}`);
    break;
  }
}
console.log("the guest is done");
Deno.exit(0);
