// Ways to break an app that take more than its manifest.

import { createHash } from "node:crypto";
import { assertEquals } from "@std/assert";
import { HOST, id, ROOT, type TrustCluster, until } from "./trust_cluster.ts";

/** A way to break something, and the words by which it must be known. */
export interface Way {
  /** What has happened, in words, and the app that it has happened to. */
  readonly way: string;
  readonly app: string;
  /** What must be said of it in all three; each of them. */
  readonly cause: readonly RegExp[];
  /** More that `why` must say. */
  readonly why?: RegExp;
}

/** Waits until `status`, `why APP` and `describe APP`, or what is `described`, name the cause. */
type Named = (way: Way, described?: string) => Promise<void>;

export const SLEEP = "  exec /bin/sleep\n  args 600\n  grace 1s";

/** A node of its own whose state folder has no room left. */
export async function diskFull(cluster: TrustCluster, named: Named): Promise<void> {
  const state = `${cluster.folder}/full`;
  Deno.mkdirSync(state);
  const run = async (program: string, ...args: string[]) => {
    const command = new Deno.Command(program, { args, stderr: "null" });
    return (await command.output().catch(() => ({ success: false }))).success;
  };
  if (!await run("mount", "-t", "tmpfs", "-o", "size=512k", "none", state)) {
    return console.log("not run: a full disk: it needs root and tmpfs");
  }
  try {
    const node = await cluster.startNode("full", { state, labels: { disk: "full" } });
    await run("sh", "-c", `cat /dev/zero >${state}/filler`);
    const lines = `${SLEEP}\n  place {\n    require disk=full\n  }`;
    assertEquals(await cluster.up("unkept", lines), "OK|APPLIED|unkept|1");
    await named({
      way: "its node's disk is full",
      app: "unkept",
      cause: [/its state cannot be written.*No space left/],
    });
    await cluster.command(`DOWN|${id()}|unkept`);
    Deno.removeSync(`${state}/filler`);
    cluster.nodes.splice(cluster.nodes.indexOf(node), 1);
    await node.stop();
  } finally {
    await until("unmounted", () => run("umount", state));
  }
}

/** An artifact that is not any more what was uploaded when a node fetches it. */
export async function changedArtifact(cluster: TrustCluster, named: Named) {
  const content = new TextEncoder().encode("#!/bin/sh\nexec sleep 600\n");
  const sha256 = createHash("sha256").update(content).digest("hex");
  const upload = { verb: "UPLOAD", id: id(), sha256, bytes: String(content.length) } as const;
  assertEquals(await cluster.command(upload), `OK|UPLOAD|${sha256}`);
  const sent = await fetch(`${cluster.url}/artifacts/${sha256}?offset=0`, {
    method: "POST",
    headers: { "skr8tr-upload": upload.id },
    body: content,
  });
  assertEquals((await sent.json()).complete, true);
  Deno.writeFileSync(`${cluster.state}/artifacts/${sha256}`, content.map((byte) => byte ^ 1));
  const lines = `  exec \${ARTIFACT}/web\n  artifact {\n    from web\n    sha256 ${sha256}\n` +
    `    bytes ${content.length}\n    form file\n  }`;
  assertEquals(await cluster.up("changed", lines), "OK|APPLIED|changed|1");
  await named({
    way: "its artifact was changed after it was uploaded",
    app: "changed",
    cause: [
      new RegExp(`artifact ${sha256.slice(0, 12)} is not to be had`),
      /what it sent has the digest [0-9a-f]{12}, not the signed one/,
    ],
  });
  await cluster.command(`DOWN|${id()}|changed`);
}

/** A rollout that an operator holds. */
export async function pausedByHand(cluster: TrustCluster, named: Named) {
  assertEquals(await cluster.up("held", SLEEP), "OK|APPLIED|held|1");
  await cluster.ready("held", 1);
  const next = `${SLEEP}\n  port 32900\n  health {\n    check TCP\n    start-period 60s\n  }`;
  assertEquals(await cluster.up("held", next, 2, ROOT, 1), "OK|APPLIED|held|2");
  assertEquals(await cluster.command(`PAUSE|${id()}|held`), "OK|PAUSED|held");
  await named({
    way: "its rollout was paused by hand",
    app: "held",
    cause: [/the rollout of generation 2 stands still: operator root-[0-9a-f]+ paused it/],
  });
  await cluster.command(`DOWN|${id()}|held`);
}

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/** A node, a process of its own, whose clock is 100 s ahead. */
export async function wrongClock(cluster: TrustCluster, named: Named) {
  if (!await Deno.stat(FAKETIME).then(() => true, () => false)) {
    return console.log("not run: a node with a wrong clock: libfaketime is not installed");
  }
  const key = `${cluster.folder}/root.pub`;
  Deno.writeFileSync(key, ROOT.publicKey);
  const { mesh } = cluster.conductor!;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", new URL("../../node/main.ts", import.meta.url).pathname],
      ...[`--bind=${HOST}`, "--port=0", "--metrics=off", "--name=ahead", "--label=clock=wrong"],
      ...[`--conductor=${HOST}:${mesh.port}`, `--follow=${HOST}:${cluster.port}`],
      ...[`--tower=${HOST}:1`, `--pubkey=${key}`, `--state=${cluster.folder}/ahead`],
      ...["--ports=31000-31099", "--mesh=open", "--stop-replicas", "--stop-with-stdin"],
    ],
    env: { LD_PRELOAD: FAKETIME, FAKETIME: "+100s", DONT_FAKE_MONOTONIC: "1" },
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const words = new Response(child.stderr).text();
  try {
    const lines = `${SLEEP}\n  place {\n    require clock=wrong\n  }`;
    assertEquals(await cluster.up("early", lines), "OK|APPLIED|early|1");
    await named({
      way: "the clock of its node is wrong",
      app: "early",
      cause: [/the clock of ahead is (99|100|101) s ahead of the conductor's/],
    });
    await named({
      way: "a node's clock is wrong",
      app: "early",
      cause: [/clock.* ahead of the conductor's/],
    }, "ahead");
    await cluster.command(`DOWN|${id()}|early`);
    await until(
      "its replica is gone",
      async () => (await cluster.view("early"))?.replicas.length === 0,
    );
  } catch (error) {
    child.kill("SIGTERM");
    throw new Error(`${(error as Error).message}\nthe node said:\n${await words}`, {
      cause: error,
    });
  } finally {
    await child.stdin.close().catch(() => {});
    await child.status;
    await words;
  }
}
