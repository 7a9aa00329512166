import { assert, assertEquals, assertMatch } from "@std/assert";
import { main } from "./main.ts";
import { keptOutput } from "./testing/output.ts";
import { DAEMONS, filesOfDaemon } from "./units.ts";

async function install(...words: string[]) {
  const output = keptOutput();
  const code = await main(["install", ...words], output);
  return { code, out: output.printed.join("\n"), err: output.noted.join("\n") };
}

Deno.test("install writes each daemon's files below a root, and keeps settings that are there", async () => {
  const root = await Deno.makeTempDir({ prefix: "skr8tr-install-" });
  try {
    const where = ["--root", root, "--programs", "/opt/skr8tr/bin"];
    const first = await install(...DAEMONS, ...where);
    assertEquals(first.code, 0, first.err);
    const files = DAEMONS.flatMap((daemon) => filesOfDaemon(daemon, "/opt/skr8tr/bin"));
    for (const { path, text } of files) {
      assertEquals(await Deno.readTextFile(root + path), text, path);
      assert(first.out.includes(`wrote ${root}${path}`), first.out);
    }
    const settings = files.find((each) => each.settings)!;
    const unit = files.find((each) => each.path.endsWith("skr8tr-node.service"))!;
    await Deno.writeTextFile(root + settings.path, "# an operator's own\n");
    await Deno.writeTextFile(root + unit.path, "# of an earlier version\n");
    const again = await install(...DAEMONS, ...where);
    assert(again.out.includes(`kept ${root}${settings.path}`), again.out);
    assertEquals(await Deno.readTextFile(root + settings.path), "# an operator's own\n");
    assertEquals(await Deno.readTextFile(root + unit.path), unit.text);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("install prints what it would write, and refuses what it does not know", async () => {
  const dry = await install("node", "--dry-run", "--programs", "/opt/skr8tr/bin");
  assertEquals(dry.code, 0);
  assertMatch(dry.out, /^# .*skr8tr-node\.service$/m);
  assertMatch(dry.out, /^ExecStart=.*\/opt\/skr8tr\/bin\/skr8tr-node/m);
  const unknown = await install("pod");
  assertEquals(unknown.code, 2);
  assertMatch(unknown.err, /there is no daemon pod; there are conductor, tower, node, ingress/);
  // From the sources there are no programs that systemd could start.
  const bare = await install("node");
  assertEquals(bare.code, 2);
  assertMatch(bare.err, /make one by deno task bundle/);
});

Deno.test("systemd finds nothing wrong with the units, and little that they leave open", async () => {
  const analyze = async (...words: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
      args: words,
      env: { SYSTEMD_COLORS: "0", SYSTEMD_EMOJI: "0" },
    }).output();
    return { code, text: [stdout, stderr].map((each) => new TextDecoder().decode(each)).join("") };
  };
  const version = await analyze("--version").catch(() => null);
  if (version?.code !== 0) return console.log("not run: systemd-analyze is not installed");
  const root = await Deno.makeTempDir({ prefix: "skr8tr-install-" });
  try {
    await Deno.mkdir(`${root}/bin`);
    for (const daemon of DAEMONS) {
      await Deno.writeTextFile(`${root}/bin/skr8tr-${daemon}`, "#!/bin/sh\n", { mode: 0o755 });
    }
    const done = await install(...DAEMONS, "--root", root, "--programs", `${root}/bin`);
    assertEquals(done.code, 0, done.err);
    const unit = (daemon: string) => `${root}/etc/systemd/system/skr8tr-${daemon}.service`;
    const own = ["--man=no", "--recursive-errors=no"];
    const verified = await analyze("verify", ...own, ...DAEMONS.map(unit));
    // What else is said is about units of this machine.
    assertEquals([verified.code, /skr8tr/.exec(verified.text)], [0, null], verified.text);
    // A node runs whatever it is told to, as whomever it is told to.
    for (const daemon of DAEMONS.filter((each) => each !== "node")) {
      const { text } = await analyze("security", "--offline=true", unit(daemon));
      const [, exposure] = /exposure level for .*: ([0-9.]+) /.exec(text) ?? [];
      assert(Number(exposure) < 3, `${daemon}: ${text}`);
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
