// Jobs with real daemons: what `skr8tr run --wait` exits with, and schedules that are refused.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { skr8trCommand, World } from "../../bench/world.ts";
import { showAddress } from "../../core/address.ts";

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
