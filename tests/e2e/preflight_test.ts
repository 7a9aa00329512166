// A stop-first rollout to what cannot run: the old replica goes on as the same process, and `why` tells.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { skr8trCommand, until, World } from "../../bench/world.ts";
import { showAddress } from "../../core/address.ts";

async function skr8tr(world: World, ...words: string[]) {
  const { conductor, tower } = world.layout;
  const where = ["--conductor", showAddress(conductor), "--tower", showAddress(tower)];
  const command = skr8trCommand([...where, ...words], { SKR8TR_KEY: world.keyPath });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** The beginning of a program of another kind of machine. */
function foreignProgram(): Uint8Array {
  const bytes = new Uint8Array(4_096);
  const aarch64 = Deno.build.arch === "aarch64" ? 0x3e : 0xb7;
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.set([2, 0, aarch64, 0, 1], 16);
  return bytes;
}

Deno.test({
  name:
    "before a stop-first rollout stops anything, the node looks at program, folder, secrets, port and disk",
  fn: async () => {
    await using world = await World.start(["node-1"]);
    const lines = (exec: string, more = "") =>
      `app steady\n  exec ${exec}\n  args 100000\n  rollout {\n    order stop-first\n` +
      `    settle 200ms\n  }\n${more}`;
    const shipped = "  artifact {\n    from program\n  }\n";
    const up = async (text: string) =>
      await skr8tr(world, "up", "--wait", "--timeout", "60s", await world.manifest("steady", text));
    const first = await up(lines("sleep"));
    assertEquals(first.code, 0, first.err);
    const { replicas: [before] } = await world.view("steady");

    const refused = async (text: string, reason: RegExp) => {
      const { code, out, err } = await up(text);
      assert(code !== 0, out);
      assertMatch(out + err, reason);
      const why = await skr8tr(world, "why", "steady");
      assertMatch(why.out, reason);
      const { replicas } = await world.view("steady");
      assertEquals(
        replicas.map((each) => [each.replica, each.state, each.pid, each.generation]),
        [[before!.replica, "ready", before!.pid, 1]],
        "the same process goes on, of the generation that was there",
      );
    };

    await refused(lines("/no/such/program"), /\/no\/such\/program does not exist on this node/);
    await Deno.writeFile(`${world.folder}/program`, foreignProgram(), { mode: 0o755 });
    await refused(
      lines("${ARTIFACT}/program", shipped),
      /\/program is built for (aarch64|x86_64), this node is/,
    );
    await refused(
      lines("sleep", "  cwd /no/such/folder\n"),
      /its folder \/no\/such\/folder does not exist/,
    );

    await refused(
      lines("sleep", "  secret {\n    TOKEN nobody-set-it\n  }\n"),
      /there is no secret nobody-set-it in namespace default; skr8tr secret set nobody-set-it/,
    );
    {
      using stranger = Deno.listen({ hostname: "0.0.0.0", port: 0 });
      const { port } = stranger.addr;
      await refused(
        lines("sleep", `  port ${port} fixed\n`),
        new RegExp(`port ${port} is fixed and held by another program there`),
      );
    }

    const artifacts = `${world.folder}/state/node-1/artifacts`;
    await Deno.mkdir(artifacts, { recursive: true });
    const mount = await new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=512k", "none", artifacts],
      stderr: "null",
    }).output().catch(() => ({ success: false }));
    if (!mount.success) console.log("a full disk: not run: not root, or no tmpfs");
    else {
      try {
        const script = `#!/bin/sh\nexec sleep "$1"\n# ${"x".repeat(2_000_000)}\n`;
        await Deno.writeTextFile(`${world.folder}/program`, script, { mode: 0o755 });
        await refused(
          lines("${ARTIFACT}/program", shipped),
          /artifact [0-9a-f]{12} needs \d+ MiB of disk, 1 MiB are free/,
        );
      } finally {
        await new Deno.Command("umount", { args: [artifacts] }).output();
      }
      const last = await up(lines("${ARTIFACT}/program", shipped));
      assertEquals(last.code, 0, last.err);
      const { replicas: [after] } = await world.view("steady");
      assert(after!.pid !== before!.pid, "with room it takes over");
    }
  },
});

Deno.test("a drain stops nothing that the next node cannot run, says why, and moves it when it can", async () => {
  await using world = await World.start(["node-1"]);
  await Deno.writeTextFile(
    `${world.folder}/program`,
    `#!/bin/sh\nexec sleep "$1"\n# ${"x".repeat(2_000_000)}\n`,
    { mode: 0o755 },
  );
  const manifest = await world.manifest(
    "steady",
    "app steady\n  exec ${ARTIFACT}/program\n  args 100000\n  artifact {\n    from program\n  }\n" +
      "  rollout {\n    order stop-first\n    settle 200ms\n  }\n",
  );
  const up = await skr8tr(world, "up", "--wait", "--timeout", "60s", manifest);
  assertEquals(up.code, 0, up.err);
  const now = async () =>
    (await world.view("steady")).replicas.map(({ node, state, pid }) => ({ node, state, pid }));
  const before = await now();
  assertEquals(before.map(({ node, state }) => [node, state]), [["node-1", "ready"]]);

  const artifacts = `${world.folder}/state/node-2/artifacts`;
  await Deno.mkdir(artifacts, { recursive: true });
  const mount = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=512k", "none", artifacts],
    stderr: "null",
  }).output().catch(() => ({ success: false }));
  if (!mount.success) return console.log("not run: not root, or no tmpfs");
  try {
    world.daemon("node-2");
    await world.nodesReady(2);
    const stuck = await skr8tr(world, "node", "drain", "node-1", "--wait");
    const reason = /artifact [0-9a-f]{12} needs \d+ MiB of disk, 1 MiB are free/;
    assertEquals(stuck.code, 1, stuck.out);
    assertMatch(stuck.err, reason);
    const { out } = await skr8tr(world, "why", "steady");
    assertMatch(out, /steady\.1 is not stopped: no other node can run generation 1/);
    assertMatch(out, reason);
    assertEquals(await now(), before, "the same process goes on");
  } finally {
    await new Deno.Command("umount", { args: ["--lazy", artifacts] }).output();
  }
  // The drain goes on by itself, and who is told to wait for it does.
  await until("it is drained", async () => {
    const { code, out } = await skr8tr(world, "node", "drain", "node-1", "--wait");
    return code === 0 && out === "node-1 is drained: nothing runs there\n";
  });
  await until("it runs where there is room now", async () => {
    const [replica, ...more] = await now();
    return replica?.node === "node-2" && replica.state === "ready" && more.length === 0;
  });
});
