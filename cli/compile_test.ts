import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { freePort } from "../core/live/free_port_testing.ts";
import { BINARIES, compile, compileArgs, compileFailure, fileOf, readPlan } from "./compile.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

Deno.test("compileArgs() bakes in the permissions of the table, and the state folder", () => {
  const plan = readPlan(["--network=10.1.0.0/16", "--network", "127.0.0.0/8"], "/src");
  const baked = (binary: typeof BINARIES[number]) =>
    compileArgs(binary, plan).filter((each) => /^--(allow|deny|no-prompt|state)/.test(each));
  const net = "--allow-net=10.1.0.0/16,127.0.0.0/8";
  assertEquals(baked("conductor"), [
    "--no-prompt",
    net,
    "--allow-read=/var/lib/skr8tr/conductor,/etc/skr8tr",
    "--allow-write=/var/lib/skr8tr/conductor",
    "--deny-import",
    "--state=/var/lib/skr8tr/conductor",
  ]);
  assertEquals(baked("tower"), [
    "--no-prompt",
    net,
    "--allow-read=/var/lib/skr8tr/tower",
    "--allow-write=/var/lib/skr8tr/tower",
    "--deny-import",
    "--state=/var/lib/skr8tr/tower",
  ]);
  assertEquals(baked("node"), [
    "--no-prompt",
    `${net},0.0.0.0`,
    "--allow-read=/var/lib/skr8tr/node,/etc/skr8tr",
    "--allow-write=/var/lib/skr8tr/node",
    "--allow-env=DENO_DIR,HOME,XDG_CACHE_HOME",
    "--allow-run",
    "--deny-import",
    "--state=/var/lib/skr8tr/node",
  ]);
  assertEquals(baked("ingress"), [
    "--no-prompt",
    net,
    "--allow-read=/var/lib/skr8tr/ingress",
    "--allow-write=/var/lib/skr8tr/ingress",
    "--deny-import",
    "--state=/var/lib/skr8tr/ingress",
  ]);
  assertEquals(baked("skr8tr").slice(0, 4), [
    "--no-prompt",
    "--allow-net",
    "--allow-read",
    "--allow-write",
  ]);
});

Deno.test("compileArgs() widens a binary only by what is asked for", () => {
  const plan = readPlan(
    ["--certificates=tls", "--home=/home/ops", "--manifests=/srv/m", "--target=x"],
    "/src",
  );
  assert(compileArgs("ingress", plan).includes("--allow-write=/var/lib/skr8tr/ingress"));
  assert(compileArgs("ingress", plan).includes("--allow-read=/var/lib/skr8tr/ingress,/src/tls"));
  assert(compileArgs("skr8tr", plan).includes("--allow-write=.,/home/ops/.skr8tr"));
  const conductor = compileArgs("conductor", plan).find((each) => each.startsWith("--allow-read"));
  assertStringIncludes(conductor!, ",/srv/m");
  for (const binary of BINARIES) assert(compileArgs(binary, plan).includes("--target=x"));
});

Deno.test("readPlan() refuses what it does not know", () => {
  assertThrows(() => readPlan(["--frobnicate"], "/"), Failure, "does not know --frobnicate");
  assertThrows(() => readPlan(["--only=node,pod"], "/"), Failure, "not pod");
  assertThrows(() => readPlan(["--out="], "/"), Failure, "--out needs a value");
});

Deno.test("compileFailure() says what to do where the base binary cannot be had", () => {
  const plan = readPlan(["--target=aarch64-apple-darwin"], "/src");
  // As Deno 2.9.6 wrote it without a network.
  const offline =
    "error: Writing deno compile executable to temporary file '/tmp/t'\n\nCaused by:\n" +
    "    0: Setting up base binary.\n    1: error sending request for url (https://example.org/)\n";
  const { code, message } = compileFailure("tower", plan, offline);
  assertEquals(code, "no-base");
  assertStringIncludes(message, "denort-aarch64-apple-darwin.zip");
  assertStringIncludes(message, "DENORT_BIN=FILE");
  assertStringIncludes(message, "error sending request");
  const other = compileFailure("tower", plan, "error: Module not found\n");
  assertEquals(other.message, "cannot compile tower: error: Module not found");
});

Deno.test("deno task compile names a DENORT_BIN that is not there", async () => {
  const out = await Deno.makeTempDir({ prefix: "skr8tr-compile-" });
  try {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "-q", "compile", "--only=tower", `--out=${out}`],
      cwd: ROOT,
      env: { DENORT_BIN: `${out}/nowhere` },
      stdout: "null",
      stderr: "piped",
    }).output();
    assertEquals(code, 1);
    const said = new TextDecoder().decode(stderr);
    assertStringIncludes(
      said,
      `error: DENORT_BIN names no base binary: there is no ${out}/nowhere`,
    );
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

/**
 * `deno compile` writes its payload into any ELF file, so without a network the shell stands for
 * the base binary: what comes out does not run, and holds everything that a real one would.
 */
Deno.test({
  name: "compile() embeds permissions and workers in every binary",
  ignore: Deno.build.os !== "linux" &&
    (console.log("compile() embeds permissions: not run: /bin/sh is an ELF file only on Linux"),
      true),
  fn: async () => {
    const out = await Deno.makeTempDir({ prefix: "skr8tr-compile-" });
    const before = Deno.env.get("DENORT_BIN");
    Deno.env.set("DENORT_BIN", await Deno.realPath("/bin/sh"));
    try {
      const said: string[] = [];
      const plan = readPlan([`--out=${out}`, "--network=10.0.0.0/8"], ROOT);
      await compile(plan, ROOT, (line) => said.push(line));
      assertEquals(said, [
        ...BINARIES.map((binary) => `${out}/${fileOf(binary)}`),
        ...["static", "wasm", "vm"].map((name) => `${out}/runners/${name}.js`),
      ]);
      await servesByRunner(out);
      const read = async (binary: typeof BINARIES[number]) =>
        new TextDecoder("latin1").decode(await Deno.readFile(`${out}/${fileOf(binary)}`));
      for (const binary of BINARIES) {
        const text = await read(binary);
        assertStringIncludes(text, '"prompt":false');
        assertStringIncludes(text, '"deny_import":[]');
        const net = binary === "skr8tr"
          ? "[]"
          : binary === "node"
          ? '["10.0.0.0/8","0.0.0.0"]'
          : '["10.0.0.0/8"]';
        assertStringIncludes(text, `"allow_net":${net}`, binary);
        const run = binary === "node" ? "[]" : binary === "skr8tr" ? '["/bin/sh"]' : "null";
        assertStringIncludes(text, `"allow_run":${run}`, binary);
        // A worker that was not rewritten would be looked for beside the bundle, and not be there.
        assertEquals(/new URL\("\.\/[\w.]*worker\.ts"/.test(text), false, binary);
      }
      for (const binary of ["node", "ingress"] as const) {
        const name = /new URL\("\.\/(\.deno_compile_worker_\w+\.mjs)"/.exec(await read(binary))
          ?.[1];
        assert(name, `${binary} starts no embedded worker`);
        assertStringIncludes(await read(binary), `"n":"${name}"`);
      }
    } finally {
      if (before === undefined) Deno.env.delete("DENORT_BIN");
      else Deno.env.set("DENORT_BIN", before);
      await Deno.remove(out, { recursive: true });
    }
  },
});

/** A compiled node's runner is run by any Deno, with nothing but what a replica is allowed. */
async function servesByRunner(out: string): Promise<void> {
  const site = `${out}/site`;
  await Deno.mkdir(site);
  await Deno.writeTextFile(`${site}/index.html`, "by a runner");
  const port = freePort();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--no-remote", `--allow-read=${site}`],
      ...[`--allow-net=127.0.0.1:${port}`, `${out}/runners/static.js`],
      ...[site, "127.0.0.1", String(port)],
    ],
    cwd: "/",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    const end = performance.now() + 30_000;
    let text = "";
    while (text === "" && performance.now() < end) {
      text = await fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text(), () => "");
    }
    assertEquals(text, "by a runner");
  } finally {
    child.kill("SIGTERM");
    await child.status;
  }
}
