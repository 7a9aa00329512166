// Operators by the CLI: real keys, a real conductor, the CLI as a process.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { start } from "../../conductor/live/rig_test.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Said {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function skr8tr(folder: string, port: number, key: string, ...args: string[]): Promise<Said> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `--config=${ROOT}deno.json`, `${ROOT}cli/main.ts`, ...args],
    cwd: folder,
    env: {
      SKR8TR_CONDUCTOR: `127.0.0.9:${port}`,
      SKR8TR_KEY: `${folder}/${key}.sec`,
      NO_COLOR: "1",
    },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), error: text(stderr) };
}

Deno.test("skr8tr operator, grant and quota: who may do what is a matter of signed commands", async () => {
  const folder = await Deno.makeTempDir({ prefix: "operators-" });
  const plain = (key: string, ...args: string[]) => skr8tr(folder, 1, key, ...args);
  try {
    for (const key of ["root", "ann", "ann2"]) {
      const made = await plain(key, "keygen", "--out", `${key}.pub`);
      assertEquals(made.code, 0, made.error);
    }
    const root = Deno.readFileSync(`${folder}/root.pub`);
    const { readOperators } = await import("../../conductor/live/open.ts");
    const operators = await readOperators([`${folder}/root.pub`]);
    assertEquals([...operators!.values()][0], root);
    const conductor = await start(`${folder}/state`, { operators });
    const run = (key: string, ...args: string[]) =>
      skr8tr(folder, conductor.commands.port, key, ...args);
    try {
      Deno.writeTextFileSync(`${folder}/a.skr8tr`, "app web\n  namespace shop\n  exec /bin/true\n");
      Deno.writeTextFileSync(`${folder}/b.skr8tr`, "app bank\n  exec /bin/true\n");
      const stranger = await run("ann", "up", "a.skr8tr");
      assertEquals(stranger.code, 1);
      assertStringIncludes(stranger.error, "does not accept the signature");

      const added = await run(
        "root",
        ...["grant", "ann", "--pubkey", "ann.pub", "--namespace", "shop", "--until", "30d"],
      );
      assertEquals(added.code, 0, added.error);
      assertEquals((await run("ann", "up", "a.skr8tr")).code, 0);
      assertEquals((await run("ann", "up", "b.skr8tr")).code, 1, "outside of its namespace");
      assertEquals((await run("ann", "operator", "revoke", "ann")).code, 1, "not an admin");

      const quota = await run("root", "quota", "shop", "--replicas", "1", "--ram", "1gb");
      assertEquals(quota.code, 0, quota.error);
      const taken = /^shop has a quota\n[^]*replicas +1 +1\nmemory +0 B +1\.0 GiB\ncores +0 +-\n$/;
      for (const _ of [1, 2]) assertMatch((await run("ann", "quota", "shop")).out, taken);
      const both = await run("root", "quota", "shop", "--none", "--replicas", "2");
      assertEquals(both.code, 2);
      assertStringIncludes(both.error, "--none takes the quota away");
      assertEquals((await run("ann", "quota", "shop", "--none")).code, 1, "not an admin");
      const rotated = await run("ann", "operator", "rotate", "ann", "--pubkey", "ann2.pub");
      assertEquals(rotated.code, 0, rotated.error);
      assertEquals((await run("ann", "down", "web")).code, 1, "the old key is nobody's");
      assertEquals((await run("ann2", "down", "web")).code, 0);

      const listed = (await run("root", "operator", "list")).out;
      assert(/ann +[0-9a-f]{16} +[0-9]+ +deployer +shop +\* +20/.test(listed), listed);
      assertStringIncludes(listed, "quota of shop: 1 replicas, 1024 MiB of RAM");
      const none = await run("root", "quota", "shop", "--none");
      assertEquals([none.code, none.out], [0, "shop has no quota\n"]);
      assertMatch(
        (await run("root", "quota", "shop")).out,
        /^shop has no quota\n[^]*replicas +0 +-\n/,
      );
      assertEquals((await run("root", "operator", "revoke", "ann")).code, 0);
      assertEquals((await run("ann2", "up", "a.skr8tr")).code, 1);
      const last = await run("root", "operator", "revoke", listed.match(/root-[0-9a-f]+/)![0]);
      assertEquals(last.code, 1);
      assertStringIncludes(last.error, "the last admin cannot be removed");
    } finally {
      await conductor.stop("the test is over");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
