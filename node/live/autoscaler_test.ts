// The autoscale worker with real programs, and what keeps any worker.

import { assert, assertEquals } from "@std/assert";
import { Autoscaler } from "./autoscaler.ts";
import { FakeCluster, until } from "./fake_cluster.ts";
import { KeptWorker, NO_PERMISSIONS } from "./kept_worker.ts";
import { startOn } from "./testing.ts";
import type { NodeEvent } from "../effects.ts";
import { parseManifest } from "../../core/manifest/parse.ts";

const ODD = new URL("./testdata/odd.worker.ts", import.meta.url);

/** An odd worker under a keeper, and everything that the keeper and it said. */
function keep() {
  const said: { k: string; errors?: string[] }[] = [];
  const kept = new KeptWorker<{ k: string }, { k: string }>({
    name: "odd",
    url: ODD,
    permissions: NO_PERMISSIONS,
    hear: (message) => said.push(message),
    replaced: () => said.push({ k: "replaced" }),
    hung: () => said.push({ k: "hung" }),
  });
  const heard = (k: string, count = 1) =>
    until(
      `${k}, heard ${JSON.stringify(said)}`,
      () => said.filter((each) => each.k === k).length >= count,
    );
  return { kept, said, heard };
}

Deno.test("a worker that throws is replaced, as often as it does, and the next one answers", async () => {
  const { kept, heard } = keep();
  for (const times of [1, 2]) {
    kept.post({ k: "throw" });
    await heard("replaced", times);
    kept.post({ k: "echo" });
    await heard("echo", times);
  }
  assertEquals(kept.replacements, 2);
  kept[Symbol.dispose]();
});

Deno.test("a worker without permissions reaches nothing, though its node may", async () => {
  const { kept, said, heard } = keep();
  kept.post({ k: "pry" });
  await heard("pried");
  const { errors } = said.find((each) => each.k === "pried")!;
  assertEquals(errors, Array(6).fill("NotCapable"));
  kept[Symbol.dispose]();
});

Deno.test("a worker that hangs is told", async () => {
  // It could not be ended in this process: another one is asked.
  const script = `
    import { KeptWorker, NO_PERMISSIONS } from ${
    JSON.stringify(new URL("./kept_worker.ts", import.meta.url).href)
  };
    const kept = new KeptWorker({
      name: "odd",
      url: new URL(${JSON.stringify(ODD.href)}),
      permissions: NO_PERMISSIONS,
      hear: () => kept.post({ k: "hang" }),
      replaced: () => Deno.exit(1),
      hung: () => Deno.exit(75),
    });
    kept.post({ k: "echo" });
    setTimeout(() => Deno.exit(2), 60_000);`;
  const file = Deno.makeTempFileSync({ suffix: ".ts" });
  Deno.writeTextFileSync(file, script);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--config",
      new URL("../../deno.json", import.meta.url).pathname,
      file,
    ],
    stdout: "null",
    stderr: "null",
  }).output();
  assertEquals(code, 75);
  Deno.removeSync(file);
});

Deno.test("the autoscaler wishes by what it is told, app by app", async () => {
  const parsed = parseManifest(
    "app web\n  exec /bin/web\n  cpu 0.5\n  scale {\n    max 4\n    cpu-above 70\n  }\n",
  );
  assert(parsed.ok);
  const spec = parsed.apps[0]!;
  const events: NodeEvent[] = [];
  const autoscaler = new Autoscaler({
    workerUrl: new URL("./autoscale.worker.ts", import.meta.url),
    dispatch: (event) => events.push(event),
    hung: () => {},
  });
  // Nobody scales: no worker is started for that.
  autoscaler.sample([]);
  let cpuS = 0;
  const words = () => events.flatMap((each) => each.on === "wishes" ? each.wishes : []);
  await until("it wishes for more", () => {
    // As if it used a thousand cores.
    cpuS = performance.now();
    autoscaler.sample([{ spec, replica: "web-1", instance: 1, cpuS }]);
    return words().some((each) => each.wish === "more");
  });
  assertEquals(words().at(-1)?.app, "web");
  autoscaler[Symbol.dispose]();
});

Deno.test("a node measures the CPU of a replica's whole process group and tells the conductor", async () => {
  await using cluster = new FakeCluster();
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-scale-" });
  const node = await startOn(cluster, folder);
  const scale = "  scale {\n    max 4\n    cpu-above 1\n  }\n  cpu 0.1\n";
  // The shell waits; its child burns.
  const burner = `app web\n  exec /bin/sh\n  args -c "while :; do :; done & wait"\n${scale}`;
  const sleeper = `app calm\n  exec /bin/sleep\n  args 300\n${scale}`;
  cluster.run("web-1", "web", cluster.apply("web", burner));
  cluster.run("calm-1", "calm", cluster.apply("calm", sleeper));
  const wish = (app: string, word: string) =>
    until(
      `${app}: ${word}`,
      () =>
        cluster.heard.flatMap((each) => each.k === "wishes" ? each.wishes : [])
          .find((each) => each.app === app && each.wish === word),
      30_000,
    );
  const more = await wish("web", "more");
  assert(more.replicas === 1 && more.cpuPercent > 1, JSON.stringify(more));
  const less = await wish("calm", "less");
  assert(less.cpuPercent < 1, JSON.stringify(less));
  await node.stop();
  Deno.removeSync(folder, { recursive: true });
});
