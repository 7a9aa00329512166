// `skr8tr up --wait` against a real cluster: how it tells what went wrong.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type ReadyLine, startClusterTask } from "./cluster_process.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

Deno.test("up --wait says which replica failed where, why, and what it wrote", async (t) => {
  await using cluster = await startClusterTask();
  const ready = await cluster.ready();
  assert(ready.ready, ready.error);
  const { state } = cluster;

  const skr8tr = async (...words: string[]): Promise<Said> => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "task",
        "-q",
        "skr8tr",
        ...["--conductor", ready.conductor, "--tower", ready.tower],
        ...["--key", `${state}/signing.sec`],
        ...words,
      ],
      cwd: ROOT,
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: text(stdout), err: text(stderr) };
  };
  const up = async (manifest: string, ...words: string[]): Promise<Said> => {
    const file = `${state}/app.skr8tr`;
    await Deno.writeTextFile(file, manifest);
    return await skr8tr("up", "--wait", ...words, file);
  };

  await t.step("a program that does not exist", async () => {
    const { code, out } = await up("app nowhere\n  exec /no/such/program\n");
    assertEquals(code, 1);
    assertMatch(out, /^nowhere generation 1 failed: nowhere\.1 on node-[123]: /);
    assertStringIncludes(out, ": /no/such/program does not exist");
  });

  await t.step("a program that is not executable", async () => {
    await Deno.writeTextFile(`${state}/text`, "hello\n");
    const { code, out } = await up(`app text\n  exec ${state}/text\n`);
    assertEquals(code, 1);
    assertStringIncludes(out, "is not executable");
  });

  await t.step("a program that exits at once", async () => {
    const { code, out } = await up(
      "app brief\n  exec /bin/sh\n  args -c 'echo no database; exit 3'\n  replicas 2\n",
    );
    assertEquals(code, 1);
    assertMatch(out, /^brief generation 1 failed: brief\.[12] on node-[123]: exit code 3/);
    assertStringIncludes(out, "\n  | no database\n");
  });

  await t.step("a program that never becomes ready", async () => {
    const manifest = "app mute\n  exec /bin/sh\n  args -c 'echo waiting; exec sleep 1000'\n" +
      "  port 8900\n  health {\n    check GET /health 200\n    start-period 60s\n  }\n";
    const { code, out } = await up(manifest, "--timeout", "2s");
    assertEquals(code, 1);
    assertMatch(
      out,
      /^mute generation 1 not in place yet: mute\.1 on node-[123]: not ready in time: /,
    );
    assertStringIncludes(out, "\n  | waiting\n");
  });

  await t.step("what no node can hold", async () => {
    const { code, out } = await up("app huge\n  exec /bin/sh\n  ram 900gb\n", "--timeout", "1s");
    assertEquals(code, 1);
    assertStringIncludes(out, "needs 921600 MiB");
  });

  await t.step("a repeated up changes nothing", async () => {
    const file = `${ROOT}/market/manifests/product-svc.skr8tr`;
    const { code, out, err } = await skr8tr("up", "--wait", file);
    assertEquals([code, out], [0, "product-svc unchanged (generation 1)\n"], err);
  });

  await t.step("a new generation replaces the old one", async () => {
    const file = `${ROOT}/market/manifests/product-svc.skr8tr`;
    const text = await Deno.readTextFile(file);
    const { code, out, err } = await up(text.replace(/^ {2}ram .*$/m, "  ram 111mb"));
    assertEquals(code, 0, out + err);
    assertMatch(out, /^product-svc generation 2 ready in /);
    await answered(ready);
  });

  await t.step("down takes an app away", async () => {
    const { code, out } = await skr8tr("down", "product-svc", "nowhere");
    assertEquals([code, out], [0, "product-svc down\nnowhere down\n"]);
    assertEquals((await skr8tr("down", "nowhere")).code, 1);
  });

  await t.step("another key is refused", async () => {
    assertEquals(
      (await skr8tr("keygen", "--key", `${state}/other.sec`, "--out", "/dev/null")).code,
      1,
    );
    const made = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `${ROOT}/cli/main.ts`, "keygen", "--key", "other.sec", "--out", "o.pub"],
      cwd: state,
      stdout: "null",
      stderr: "null",
    }).output();
    assert(made.success);
    const { code, err } = await skr8tr("--key", `${state}/other.sec`, "down", "brief");
    assertEquals(code, 1);
    assertStringIncludes(err, "does not accept the signature");
  });

  await cluster.stop();
});

async function answered(ready: ReadyLine): Promise<void> {
  const response = await fetch(`${ready.ingress}/api/products?per_page=1`);
  await response.body?.cancel();
  assertEquals(response.status, 200);
}
