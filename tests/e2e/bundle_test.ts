// What `deno task bundle` makes: a cluster of it, with nothing else on the path, runs what needs
// its runners and workers.

import { assertEquals, assertMatch } from "@std/assert";
import { bundle } from "../../cli/bundle.ts";
import { tokenPath } from "../../cli/cluster/daemons.ts";
import { writeTokens } from "../../cli/cluster/tokens.ts";
import { until } from "./cluster_process.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
const HOST = "127.0.28.7";

Deno.test("daemons and CLI of the bundle serve a site, from a folder without the sources", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-bundle-" });
  const out = `${folder}/skr8tr`;
  await bundle(ROOT, out, () => {});
  await Deno.mkdir(`${folder}/site`);
  await Deno.writeTextFile(`${folder}/site/index.html`, "from the bundle");
  await Deno.writeTextFile(
    `${folder}/site.skr8tr`,
    "app site\n  serve {\n    static ${ARTIFACT}\n    port 8100\n  }\n" +
      "  artifact {\n    from site\n  }\n  route {\n    path /\n  }\n",
  );
  const env = (name: string) => ({
    PATH: "/usr/bin:/bin",
    HOME: folder,
    SKR8TR_BIND: HOST,
    SKR8TR_STATE: `${folder}/state/${name}`,
    SKR8TR_KEYS: `${folder}/keys`,
    SKR8TR_CERTIFICATES: `${folder}/keys`,
    SKR8TR_CONDUCTOR: HOST,
    SKR8TR_KEY: `${folder}/signing.sec`,
  });
  const skr8tr = async (...words: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(`${out}/bin/skr8tr`, {
      args: words,
      cwd: folder,
      env: env("cli"),
      clearEnv: true,
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return { code, text };
  };
  const daemons: Deno.ChildProcess[] = [];
  const start = (name: string, ...flags: string[]) => {
    daemons.push(
      new Deno.Command(`${out}/bin/skr8tr-${name}`, {
        args: ["--stop-with-stdin", ...flags],
        cwd: folder,
        env: env(name),
        clearEnv: true,
        stdin: "piped",
        stdout: "null",
        stderr: "null",
      }).spawn(),
    );
  };
  try {
    await Deno.mkdir(`${folder}/keys`);
    const keygen = await skr8tr("keygen", "--key", "signing.sec", "--out", "keys/ops.pub");
    assertEquals(keygen.code, 0, keygen.text);
    const units = await skr8tr("install", "conductor", "tower", "--dry-run");
    assertMatch(
      units.text,
      /^# \/\S+\/skr8tr-conductor\.service$[^]*^# \/\S+\/skr8tr-tower\.service$/m,
    );
    const machine = `${folder}/machine`;
    assertMatch(
      (await skr8tr("install", "node", "--root", machine)).text,
      /^wrote \S+node\.conf$/m,
    );
    const again = await skr8tr("install", "node", "--root", machine);
    assertEquals(again.code, 0, again.text);
    assertMatch(again.text, /^wrote \S+skr8tr-node\.service$/m);
    assertMatch(again.text, /^kept \S+node\.conf$/m);
    const key = `--pubkey=${folder}/keys/ops.pub`;
    const state = (name: string) => `${folder}/state/${name}`;
    const keys = { secret: `${folder}/signing.sec`, public: `${folder}/keys/ops.pub` };
    await writeTokens(state("conductor"), { hostname: HOST, port: 7771 }, keys, [
      [state("tower"), "tower"],
      [state("node"), "node"],
      [state("ingress"), "ingress"],
    ]);
    const join = (name: string) => `--join=${tokenPath(state(name))}`;
    start("tower", join("tower"));
    start("conductor", key, `--tower=${HOST}:7772`);
    start(
      "node",
      ...[key, `--conductor=${HOST}`, `--tower=${HOST}`, "--name=one", "--metrics=off"],
      ...["--stop-replicas", "--ports=32000-32099", join("node")],
    );
    start("ingress", `--tower=${HOST}:7772`, "--http=28080", join("ingress"));
    await until(
      60_000,
      "the conductor knows the node",
      async () => (await skr8tr("nodes")).text.includes("one"),
    );
    const up = await skr8tr("up", "site.skr8tr", "--wait");
    assertMatch(up.text, /site generation 1 ready in /);
    let page = "";
    await until(30_000, "the ingress serves it", async () => {
      page = await (await fetch(`http://${HOST}:28080/`)).text();
      return page === "from the bundle";
    });
  } finally {
    for (const daemon of daemons.toReversed()) await daemon.stdin.close().catch(() => {});
    for (const daemon of daemons) await daemon.status;
    await Deno.remove(folder, { recursive: true });
  }
});
