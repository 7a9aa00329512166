import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../../core/errors.ts";
import { type DaemonSpec, Supervisor } from "./supervisor.ts";

interface Stage extends AsyncDisposable {
  readonly folder: string;
  readonly said: string[];
  readonly supervisor: Supervisor;
  /** A daemon made of this program; each start adds a line to `starts`. */
  daemon(program: string): DaemonSpec;
  starts(): Promise<number>;
}

async function stage(): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-supervisor-" });
  const said: string[] = [];
  const supervisor = new Supervisor((line) => said.push(line));
  return {
    folder,
    said,
    supervisor,
    daemon: (program) => ({
      name: "daemon",
      args: [
        "eval",
        "--quiet",
        `Deno.writeTextFileSync("${folder}/starts", "x", { append: true });\n${program}`,
      ],
      environment: { OF_THE_DAEMON: "as told" },
      log: `${folder}/daemon.log`,
    }),
    starts: async () => (await Deno.readTextFile(`${folder}/starts`).catch(() => "")).length,
    async [Symbol.asyncDispose]() {
      await supervisor.stop(5_000);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000;
  while (!await isSo()) {
    assert(performance.now() < end, "waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const FOREVER = "await new Promise((resolve) => setTimeout(resolve, 600_000));";

Deno.test("Supervisor starts a killed daemon again, at once the first time", async () => {
  await using test = await stage();
  test.supervisor.start(test.daemon(FOREVER));
  await until(async () => await test.starts() === 1);
  const first = test.supervisor.pidOf("daemon")!;
  Deno.kill(first, "SIGKILL");
  await until(async () => await test.starts() === 2);
  assertStringIncludes(test.said[0]!, "daemon died (SIGKILL) and is started again");
  assert(test.supervisor.pidOf("daemon") !== first);
});

Deno.test("Supervisor starts a daemon with what its environment is to have", async () => {
  await using all = await stage();
  const { supervisor, folder } = all;
  supervisor.start(all.daemon(
    `Deno.writeTextFileSync("${folder}/told", Deno.env.get("OF_THE_DAEMON") ?? "nothing");
     Deno.renameSync("${folder}/told", "${folder}/heard");
     setInterval(() => {}, 1_000);`,
  ));
  const heard = () => Deno.readTextFile(`${folder}/heard`).catch(() => "");
  await until(async () => await heard() === "as told");
});

Deno.test("Supervisor starts a daemon that exits with 75 again, without a backoff", async () => {
  await using test = await stage();
  const spec = test.daemon(`if (Deno.statSync("${test.folder}/starts").size < 4) Deno.exit(75);`);
  test.supervisor.start({ ...spec, args: [...spec.args.slice(0, 2), spec.args[2]! + FOREVER] });
  await until(async () => await test.starts() === 4);
  assertEquals(test.said, Array(3).fill("daemon asked to be started again"));
});

Deno.test("Supervisor waits longer and longer for a daemon that keeps dying", async () => {
  await using test = await stage();
  const begun = performance.now();
  test.supervisor.start(test.daemon("Deno.exit(3);"));
  await until(async () => await test.starts() === 5);
  // At once, then after 100, 200 and 400 ms at least.
  assert(performance.now() - begun >= 700);
  assertStringIncludes(test.said[0]!, "exit code 3");
});

Deno.test("Supervisor.failed tells why a daemon cannot start, by its last words", async () => {
  await using test = await stage();
  test.supervisor.start(test.daemon('console.error("port 1 is taken"); Deno.exit(2);'));
  const error = await assertRejects(() => test.supervisor.failed, Failure) as Failure;
  assertEquals(error.message, "port 1 is taken");
  assertEquals(await test.starts(), 1);
});

Deno.test("Supervisor.stop() starts nothing that was about to be started", async () => {
  await using test = await stage();
  test.supervisor.start(test.daemon(FOREVER));
  await test.supervisor.stop(5_000);
  assertEquals([test.said, await test.starts()], [[], 0]);
});

Deno.test("Supervisor.stop() kills what does not stop, and gives it the end of its input", async () => {
  await using test = await stage();
  test.supervisor.start(test.daemon(`
    Deno.addSignalListener("SIGTERM", () => console.error("no"));
    console.error("listening");
    ${FOREVER}
  `));
  const log = () => Deno.readTextFile(`${test.folder}/daemon.log`).catch(() => "");
  await until(async () => (await log()).includes("listening"));
  const pid = test.supervisor.pidOf("daemon")!;
  await test.supervisor.stop(300);
  assertStringIncludes(await log(), "no");
  assertStringIncludes(test.said[0]!, "killing what has not stopped: daemon");
  assertEquals(await Deno.stat(`/proc/${pid}`).then(() => true, () => false), false);
});

Deno.test("Supervisor.kill() ends a daemon, which stays away until it is started anew", async () => {
  await using test = await stage();
  const daemon = test.daemon(FOREVER);
  test.supervisor.start(daemon);
  await until(async () => await test.starts() === 1);
  await test.supervisor.kill("daemon");
  assertEquals([test.supervisor.pidOf("daemon"), test.supervisor.keeps("daemon")], [
    undefined,
    false,
  ]);
  assertEquals([await test.starts(), test.said], [1, []]);
  test.supervisor.start(daemon);
  assert(test.supervisor.keeps("daemon"));
  await until(async () => await test.starts() === 2);
});
