// Rollouts with real processes under load: to good versions and to bad ones, on one node and on three.

import { showAddress } from "../../core/address.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Load, startLoad } from "../../bench/load.ts";
import { skr8trCommand, World } from "../../bench/world.ts";
import { Talk } from "./talk.ts";
import type { AppView, HistoryView, RolloutView } from "../../core/view.ts";

const APP = decodeURIComponent(new URL("rollout_app.ts", import.meta.url).pathname);
const PER_SECOND = 100;

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A cluster with one app, `rolling`, that is deployed in this mode and version. */
class Stage implements AsyncDisposable {
  private constructor(readonly world: World) {}

  static async open(nodes: readonly string[]): Promise<Stage> {
    return new Stage(await World.start(nodes));
  }

  async skr8tr(...words: string[]): Promise<Said> {
    const { conductor, tower } = this.world.layout;
    const where = ["--conductor", showAddress(conductor), "--tower", showAddress(tower)];
    const command = skr8trCommand([...where, ...words], { SKR8TR_KEY: this.world.keyPath });
    const { code, stdout, stderr } = await command.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: text(stdout), err: text(stderr) };
  }

  /** `skr8tr rollout` of a version of the app. */
  async rollout(mode: string, version: number, ...lines: string[]): Promise<Said> {
    return await this.skr8tr("rollout", await this.manifest(mode, version, lines));
  }

  async manifest(mode: string, version: number, lines: readonly string[]): Promise<string> {
    const { folder } = this.world;
    return await this.world.manifest(
      "rolling",
      [
        "app rolling",
        "  exec     deno",
        "  args     run --no-prompt --no-config --allow-net --allow-env --allow-read " +
        `--allow-write=${folder} ${APP} ${mode} ${folder}`,
        "  port     8300",
        "  replicas 3",
        `  env { VERSION ${version} }`,
        "  health { check GET /ready 200; interval 500ms; start-period 30s }",
        "  route { path /rolling }",
        ...lines.map((line) => `  ${line}`),
        "",
      ].join("\n"),
    );
  }

  async view(): Promise<AppView> {
    return await this.world.view("rolling");
  }

  /** Waits until everything that runs is of this generation and ready. */
  async settled(generation: number): Promise<void> {
    await this.world.seen(
      "rolling",
      ({ state, replicas, rollout }) =>
        state === "ready" && rollout?.phase === "done" &&
        replicas.every((each) => each.generation === generation),
    );
  }

  /** How often a mode was started. */
  starts(mode: string): number {
    return [...Deno.readDirSync(this.world.folder)].filter(({ name }) =>
      name.startsWith(`${mode}-`)
    ).length;
  }

  load(): Load {
    return startLoad(this.world.layout.ingress, "/rolling", PER_SECOND);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

async function noneFailed(load: Load): Promise<void> {
  const { sent, failures } = await load.stop();
  assertEquals([...failures], [], `of ${sent}`);
  assert(sent > 0);
}

for (const nodes of [["node-1"], ["node-1", "node-2", "node-3"]]) {
  Deno.test(`rollouts under load on ${nodes.length} node${nodes.length > 1 ? "s" : ""}`, async (t) => {
    await using stage = await Stage.open(nodes);
    const { world } = stage;
    const first = await stage.rollout("good", 1);
    assertEquals(first.code, 0, first.out + first.err);
    await world.served("/rolling");

    await t.step("to a good version: nobody notices", async () => {
      const load = stage.load();
      const { code, out, err } = await stage.rollout("good", 2);
      assertEquals(code, 0, out + err);
      assertMatch(out, /^rolling generation 2 ready in /m);
      await noneFailed(load);
    });

    await t.step("to one that crashes: back by itself, and nobody notices", async () => {
      const load = stage.load();
      const { code, out } = await stage.rollout("crash", 3);
      assertEquals(code, 1);
      assertMatch(
        out,
        /^rolling generation 3 failed: rolling\.\d+ on node-\d: exit code 3; back to generation 2/m,
      );
      assertStringIncludes(out, "\n  | no database\n");
      await stage.settled(2);
      await noneFailed(load);
      const why = await stage.skr8tr("why", "rolling");
      assertStringIncludes(why.out, "generation 3 rolled-back: rolling.");
      assertStringIncludes(why.out, "| no database");
      assertMatch(why.out, /after: operator .*: apply rolling generation 3/);
    });

    await t.step("to one that never gets ready: back after its timeout", async () => {
      const load = stage.load();
      const { code, out } = await stage.rollout("mute", 4, "rollout { timeout 3s }");
      assertEquals(code, 1);
      assertMatch(out, / on node-\d: not ready within 3 s: .*503.*; back to generation 2/);
      await stage.settled(2);
      await noneFailed(load);
    });

    await t.step("to one that answers 500: at most the canary's share meets it", async () => {
      const load = stage.load();
      const canary = "rollout { canary 20% 60s min-requests 40 }";
      const { code, out } = await stage.rollout("bad", 5, canary);
      assertEquals(code, 1, out);
      assertMatch(out, /answers are errors \(5xx\).*; back to generation 2/);
      await stage.settled(2);
      const { sent, failures } = await load.stop();
      assertEquals([...failures.keys()], ["status 500"]);
      const errors = failures.get("status 500")!;
      assert(errors <= 0.2 * sent + 1, `${errors} errors of ${sent}`);
    });

    await t.step("the conductor is killed in the middle: it goes on where it was", async () => {
      const load = stage.load();
      const middle = world.seen("rolling", ({ rollout }) => rollout!.ready > 0 && rollout!.old > 0);
      const rolled = stage.rollout("good", 6);
      await middle;
      Deno.kill(world.pidOf("conductor"), "SIGKILL");
      world.daemon("conductor");
      const { code, out, err } = await rolled;
      assertEquals(code, 0, out + err);
      await stage.settled(6);
      await noneFailed(load);
    });

    if (nodes.length > 1) return;

    await t.step("a canary that is as good takes over", async () => {
      const load = stage.load();
      const canary = "rollout { canary 20% 2s min-requests 10 }";
      const { code, out, err } = await stage.rollout("good", 7, canary);
      assertEquals(code, 0, out + err);
      await noneFailed(load);
      const events = await world.events("rolling");
      const promoted = events.findLast((event) => event.kind === "rollout-promoted");
      assertStringIncludes(promoted!.text, "as good as the old one");
    });

    await t.step("a changed route restarts nothing, and cuts no connection", async () => {
      const load = stage.load();
      const before = (await stage.view()).replicas.map(({ replica, pid }) => `${replica} ${pid}`);
      const { code, out, err } = await stage.rollout(
        "good",
        7,
        "route { path /also }",
        "drain 6s",
        "rollout { canary 20% 2s min-requests 10 }",
      );
      assertEquals(code, 0, out + err);
      await stage.settled(8);
      const after = (await stage.view()).replicas.map(({ replica, pid }) => `${replica} ${pid}`);
      assertEquals(after.sort(), before.sort());
      await world.served("/also");
      await noneFailed(load);
    });

    await t.step("restart, scale, stop, start", async () => {
      const load = stage.load();
      const before = (await stage.view()).replicas.map(({ pid }) => pid);
      const restarted = await stage.skr8tr("restart", "rolling", "--wait");
      assertEquals([restarted.code, restarted.out], [0, "rolling restarted\n"], restarted.err);
      const after = await stage.view();
      assertEquals(after.replicas.filter(({ pid }) => before.includes(pid)), []);
      assertEquals(after.generation, 8);
      const four = world.seen("rolling", ({ ready, wanted }) => ready === 4 && wanted === 4);
      assertEquals((await stage.skr8tr("scale", "rolling=4")).out, "rolling scaled\n");
      await four;
      const two = world.seen(
        "rolling",
        ({ replicas, state }) => state === "ready" && replicas.length === 2,
      );
      await stage.skr8tr("scale", "rolling=2");
      await two;
      await noneFailed(load);
      const none = world.seen(
        "rolling",
        ({ replicas, state }) => state === "stopped" && replicas.length === 0,
      );
      assertEquals((await stage.skr8tr("stop", "rolling")).out, "rolling stopped\n");
      await none;
      assertEquals((await stage.skr8tr("start", "rolling")).out, "rolling started\n");
      await world.served("/rolling");
    });

    await t.step("what is under way ends; what does not end is bounded by drain", async () => {
      const { hostname, port } = world.layout.ingress;
      const ask = (path: string) => fetch(`http://${hostname}:${port}/rolling${path}`);
      // One on each replica, and one that never ends.
      const long = await Promise.all([1, 2, 3, 4].map(() => ask("/long")));
      const endless = await ask("/endless");
      const cut = endless.text().then(() => "ended", () => "cut");
      const restarted = await stage.skr8tr("restart", "rolling", "--wait");
      assertEquals(restarted.code, 0, restarted.err);
      for (const each of long) assertMatch(await each.text(), /part 20\nthe end\n$/);
      assertEquals(await cut, "cut");
    });

    await t.step("a WebSocket is talked over until its replica's drain is over", async () => {
      const { hostname, port } = world.layout.ingress;
      const url = `ws://${hostname}:${port}/rolling/talk`;
      // Two on different replicas; what has just started is given requests only gently.
      const ends = await Talk.open(url);
      let stays = await Talk.open(url);
      for (let count = 0; stays.by === ends.by && count < 50; count++) {
        stays.end();
        stays = await Talk.open(url);
      }
      const { replicas } = await stage.view();
      const [brief, bound] = [ends, stays].map((talk) =>
        replicas.find(({ pid }) => pid === Number(talk.by))!.replica
      ) as [string, string];
      assert(brief !== bound, "two sockets are on two replicas");
      // From the view: since when it has been leaving, by the clock of its node.
      let sinceMs = 0;
      const leaves = (replica: string) =>
        world.seen("rolling", ({ replicas }) => {
          const it = replicas.find((each) => each.replica === replica);
          if (it?.state !== "stopping") return it === undefined;
          if (replica === bound) sinceMs = it.sinceWallMs;
          return true;
        });
      const bothLeave = [leaves(brief).then(() => ends.end()), leaves(bound)];
      const restarted = await stage.skr8tr("restart", "rolling", "--wait");
      assertEquals(restarted.code, 0, restarted.err);
      await Promise.all(bothLeave);
      assert(sinceMs > 0, `${bound} was never seen to leave`);
      const closedMs = await stays.closed;
      const drainMs = 6_000;
      assert(closedMs >= sinceMs + drainMs - 50, `cut ${closedMs - sinceMs} ms into its drain`);
      assert(stays.lastMs >= sinceMs + drainMs / 2, `silent ${stays.lastMs - sinceMs} ms into it`);
      const other = await Talk.open(url);
      assert(other.by !== stays.by && other.by !== ends.by, "a new one is somewhere else");
      other.end();
    });

    await t.step("before runs once; a failed one replaces nothing", async () => {
      const before = (mode: string) =>
        `before { exec deno; args run --no-prompt --no-config --allow-read --allow-net ` +
        `--allow-env --allow-write=${world.folder} ${APP} ${mode} ${world.folder} }`;
      const done = await stage.rollout("good", 9, before("once"));
      assertEquals(done.code, 0, done.out + done.err);
      assertEquals(stage.starts("once"), 1);
      await stage.settled(9);
      const failed = await stage.rollout("good", 10, before("crash"));
      assertEquals(failed.code, 1);
      assertMatch(failed.out, /`before` failed on node-\d: exit code 3; back to generation 9/);
      await stage.settled(9);
    });

    await t.step("history tells of all; undo and rollback deploy what was good", async () => {
      const { out } = await stage.skr8tr("history", "rolling", "--json");
      const { generations }: HistoryView = JSON.parse(out);
      assertEquals(
        generations.map(({ generation, outcome }) => `${generation} ${outcome?.result}`),
        [
          ...["10 rolled-back", "9 done", "8 done", "7 done", "6 done"],
          ...["5 rolled-back", "4 rolled-back", "3 rolled-back", "2 done", "1 done"],
        ],
      );
      const undone = await stage.skr8tr("rollout", "undo", "rolling");
      assertEquals(undone.code, 0, undone.out + undone.err);
      const back = await stage.skr8tr("rollback", "rolling", "--to", "6");
      assertEquals(back.code, 0, back.out + back.err);
      assertEquals((await stage.view()).generation, 12);
      const status = await stage.skr8tr("rollout", "status", "rolling", "--json");
      const { rollout }: { rollout: RolloutView } = JSON.parse(status.out);
      assertEquals([rollout.phase, rollout.generation], ["done", 12]);
    });
  });
}
