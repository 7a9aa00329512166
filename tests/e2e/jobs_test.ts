// Jobs with real daemons: what `skr8tr run --wait` exits with, and schedules that are refused.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { skr8trCommand, until, World } from "../../bench/world.ts";
import { showAddress } from "../../core/address.ts";
import type { RunView } from "../../core/view.ts";

/** A cluster and an operator who looks at its runs. */
class Stage implements AsyncDisposable {
  private constructor(readonly world: World) {}

  static async open(nodes: readonly string[]): Promise<Stage> {
    return new Stage(await World.start(nodes));
  }

  command(...words: string[]): Deno.Command {
    const { conductor, tower } = this.world.layout;
    const where = ["--conductor", showAddress(conductor), "--tower", showAddress(tower)];
    return skr8trCommand([...where, ...words], { SKR8TR_KEY: this.world.keyPath });
  }

  async skr8tr(...words: string[]) {
    const { code, stdout, stderr } = await this.command(...words).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: text(stdout), err: text(stderr) };
  }

  /** Starts a `skr8tr run --wait`; `begun` when it has said which run it waits for. */
  follow(...words: string[]) {
    const child = this.command(...words, "--wait").spawn();
    const begun = Promise.withResolvers<void>();
    const listen = async () => {
      let err = "";
      for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
        err += chunk;
        if (/^run [0-9]+ of /m.test(err)) begun.resolve();
      }
      begun.resolve();
      return err;
    };
    const ended = Promise.all([child.status, new Response(child.stdout).text(), listen()]);
    return {
      begun: begun.promise,
      ended: ended.then(([{ code }, out, err]) => ({ code, out, err })),
    };
  }

  /** Writes a manifest of a job that notes its start in `<name>.starts`, and then does this. */
  async job(name: string, script: string, ...lines: string[]): Promise<string> {
    const { folder } = this.world;
    return await this.world.manifest(
      name,
      [
        `app ${name}`,
        "  type job",
        "  exec /bin/sh",
        `  args -c '${script}'`,
        `  env { STARTS ${folder}/${name}.starts }`,
        ...lines.map((line) => `  ${line}`),
        "",
      ].join("\n"),
    );
  }

  /** How often the job's program was started. */
  starts(name: string): number {
    try {
      return Deno.readTextFileSync(`${this.world.folder}/${name}.starts`).split("\n").length - 1;
    } catch {
      return 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

/** Notes its start, and ends when there is a file of that name. */
const waitFor = (file: string) => `${START}; while ! test -e ${file}; do sleep 0.05; done`;

const START = 'echo started >>"$STARTS"';

Deno.test("skr8tr run --wait exits as the job did", async () => {
  await using stage = await Stage.open(["node-1"]);
  const run = async (path: string) => await stage.skr8tr("run", path, "--wait");

  const good = await run(await stage.job("good", `${START}; echo the work is done`));
  assertEquals(good.code, 0, good.err);
  assertMatch(good.out, /the work is done/);

  const bad = await run(await stage.job("bad", `${START}; echo broken; exit 7`, "retries 0"));
  assertEquals([bad.code, stage.starts("bad")], [7, 1], bad.err);
  assertMatch(bad.out + bad.err, /failed/);

  const again = 'test $(wc -l <"$STARTS") -gt 2 || exit 9';
  const third = await run(await stage.job("third", `${START}; ${again}`, "retries 2"));
  assertEquals([third.code, stage.starts("third")], [0, 3], third.err);

  const slow = await run(await stage.job("slow", `${START}; sleep 1000`, "timeout 1s"));
  assertEquals([slow.code, stage.starts("slow")], [1, 1], slow.err);
  assertMatch(slow.out + slow.err, /timeout/);

  const path = await stage.job("lost", "true", "retries 0");
  await Deno.writeTextFile(
    path,
    (await Deno.readTextFile(path)).replace("/bin/sh", "/no/such/program"),
  );
  const lost = await run(path);
  assertEquals(lost.code, 1, lost.err);
  assertMatch(lost.out + lost.err, /\/no\/such\/program does not exist on this node/);

  // The name of a job that is deployed runs it once more, without its manifest.
  const more = await stage.skr8tr("run", "bad", "--wait");
  assertEquals([more.code, stage.starts("bad")], [7, 2], more.err);
});

Deno.test("a schedule that never fires, or that is none, is refused before anything of it is there", async () => {
  await using stage = await Stage.open(["node-1"]);
  const path = await stage.job("tick", START, "schedule * * * * * *");
  const { code, err } = await stage.skr8tr("up", path);
  // Five fields only: what fires each second is no schedule here, and is refused before anything.
  assert(code !== 0 && /schedule/.test(err), err);
  assertEquals(stage.starts("tick"), 0);
  const never = await stage.skr8tr("up", await stage.job("never", START, "schedule 0 0 31 2 *"));
  assert(never.code !== 0, never.out);
  assertMatch(never.out + never.err, /never/);
  assertEquals(stage.starts("never"), 0);
});

Deno.test("a run ends while its conductor is dead, and skr8tr run --wait still exits as it did", async () => {
  await using stage = await Stage.open(["node-1"]);
  const { world } = stage;
  const [go, more] = [`${world.folder}/go`, `${world.folder}/more`];
  const script = `${waitFor(go)}; echo while it was away; touch ${world.folder}/ended; ` +
    `while ! test -e ${more}; do sleep 0.05; done; exit 7`;
  const path = await stage.job("orphan", script, "retries 0");
  const waiting = stage.follow("run", path);
  await until("the job runs", () => Promise.resolve(stage.starts("orphan") === 1));
  await waiting.begun;
  await world.kill("conductor");
  await Deno.writeTextFile(go, "");
  await until("the job was at work", () => exists(`${world.folder}/ended`));

  // Who does not want to wait for the conductor is told what goes on, and what to do.
  const hurried = await stage.skr8tr("run", "orphan", "--wait", "--timeout", "1s");
  assertEquals(hurried.code, 2, hurried.err);
  assertMatch(hurried.err, /the conductor does not answer/);

  await Deno.writeTextFile(more, "");
  world.daemon("conductor");
  const { code, out, err } = await waiting.ended;
  assertEquals([code, stage.starts("orphan")], [7, 1], err);
  assertEquals(out.match(/while it was away/g)?.length, 1, out);
  assertMatch(err, /run 1 of orphan goes on, but the conductor does not answer/);
  const { runs } = await world.view("orphan");
  assertEquals(runs?.map(({ run, state, code }) => ({ run, state, code })), [
    { run: 1, state: "failed", code: 7 },
  ]);
});

Deno.test("a run that takes longer than --timeout goes on, and skr8tr run --wait says so", async () => {
  await using stage = await Stage.open(["node-1"]);
  const { world } = stage;
  const path = await stage.job("long", waitFor(`${world.folder}/go`));
  const hurried = await stage.skr8tr("run", path, "--wait", "--timeout", "2s");
  assertEquals(hurried.code, 1, hurried.err);
  assertMatch(
    hurried.err,
    /run 1 of long has not ended within 2 s; it goes on, and skr8tr runs long/,
  );
  assertEquals((await world.view("long")).runs?.[0]?.state, "running");

  // The conductor vanishes while somebody waits, and does not come back in time.
  const waiting = stage.follow("run", path, "--timeout", "4s");
  await waiting.begun;
  await world.kill("conductor");
  const { code, err } = await waiting.ended;
  assertEquals(code, 2, err);
  assertMatch(err, /the end of run 2 of long is not known: .*skr8tr runs long tells how it ended/);
});

Deno.test("a run whose node vanishes is unknown, soon, and is started nowhere else", async () => {
  for (const how of ["killed", "frozen"] as const) {
    await using stage = await Stage.open(["node-1", "node-2"]);
    const { world } = stage;
    const path = await stage.job("vanished", waitFor(`${world.folder}/never`), "retries 0");
    const waiting = stage.skr8tr("run", path, "--wait");
    await until("the job runs", () => Promise.resolve(stage.starts("vanished") === 1));
    const [run] = (await world.view("vanished")).runs!;
    const { replica, node } = run!.replicas[0]!;
    // One that is frozen keeps its connections open, as a machine does that lost its power.
    if (how === "killed") await world.killNode(node);
    else Deno.kill(world.pidOf(node), "SIGSTOP");
    const { code, out, err } = await waiting;
    assertEquals([code, stage.starts("vanished")], [1, 1], err);
    const why = new RegExp(`${node} is dead: nobody knows how ${replica} ended`);
    assertMatch(out + err, why, how);
    const listed = await stage.skr8tr("runs", "vanished", "--json");
    assertEquals(JSON.parse(listed.out).runs.map((each: RunView) => each.state), ["unknown"], how);
    assertMatch((await stage.skr8tr("why", "vanished")).out, why, how);
    // It is back: its word is taken, and nothing begins again.
    if (how === "killed") world.daemon(node);
    else Deno.kill(world.pidOf(node), "SIGCONT");
    const state = how === "killed" ? "failed" : "running";
    await until(
      `the run is ${state}`,
      async () => (await world.view("vanished")).runs![0]!.state === state,
    );
    assertEquals(stage.starts("vanished"), 1);
  }
});

Deno.test("a conductor killed around a tick takes it once, and tells of those it missed", async () => {
  await using stage = await Stage.open(["node-1"]);
  const { world } = stage;
  const hourMs = 3_600_000;
  let tickMs = Math.ceil(Date.now() / 60_000) * 60_000 + 300_000;
  const minute = new Date(tickMs).getUTCMinutes();
  const path = await stage.job("hourly", START, `schedule ${minute} * * * *`);
  assertEquals((await stage.skr8tr("up", path)).code, 0);
  const runs = async () => (await world.view("hourly")).runs!;
  const conductorAt = async (wallMs: number) => {
    await world.kill("conductor");
    world.flags = [await clockAt(world.folder, wallMs)];
    world.daemon("conductor");
    await until("the conductor answers", async () => (await runs()) !== undefined);
  };
  const killedWhen = {
    "before the tick": () => Promise.resolve(true),
    "the run is in the log": async () => (await runs()).length > before,
    "the program has begun": () => Promise.resolve(stage.starts("hourly") > before),
  };
  let before = 0;
  for (const [when, isSo] of Object.entries(killedWhen)) {
    await conductorAt(tickMs - 2_000);
    await until(when, isSo);
    await conductorAt(tickMs + 5_000);
    await until("the tick's run is over", async () => {
      return (await runs()).at(-1)?.state === "succeeded" && (await runs()).length > before;
    });
    before++;
    const ticks = (await runs()).map(({ dueWallMs, state }) => [dueWallMs, state]);
    assertEquals(ticks.at(-1), [tickMs, "succeeded"], when);
    assertEquals([ticks.length, stage.starts("hourly")], [before, before], when);
    tickMs += hourMs;
  }

  // Three ticks pass without it: one run makes up for all.
  await conductorAt(tickMs + 2 * hourMs + 120_000);
  await until("the run that makes up is over", async () => {
    const all = await runs();
    return all.length === before + 2 && all.at(-1)?.state === "succeeded";
  });
  assertEquals(stage.starts("hourly"), before + 1);
  const { out } = await stage.skr8tr("runs", "hourly");
  assertMatch(out, /missed .*2 ticks passed with nobody to start it/);
});

/** A flag by which a daemon's wall clock says this when it starts, and goes on from there. */
async function clockAt(folder: string, wallMs: number): Promise<string> {
  const path = `${folder}/clock_${wallMs}.js`;
  await Deno.writeTextFile(
    path,
    `const real = Date.now; const ahead = ${wallMs} - real(); Date.now = () => real() + ahead;\n`,
  );
  return `--preload=${path}`;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
