// `skr8tr cp` and `skr8tr port-forward` on a real, sealed cluster.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { kill, until } from "./cluster_process.ts";
import { said, StreamCluster } from "./stream_cluster.ts";

/** Names, modes and contents below a folder. */
async function treeOf(folder: string, below = ""): Promise<string[]> {
  const lines: string[] = [];
  for await (const { name } of Deno.readDir(`${folder}/${below}`)) {
    const path = `${folder}/${below}${name}`;
    const { isSymlink, isDirectory, mode } = await Deno.lstat(path);
    const shown = `${below}${name} ${((mode ?? 0) & 0o777).toString(8)}`;
    if (isSymlink) lines.push(`${below}${name} -> ${await Deno.readLink(path)}`);
    else if (isDirectory) lines.push(shown, ...await treeOf(folder, `${below}${name}/`));
    else lines.push(`${shown} ${await Deno.readTextFile(path)}`);
  }
  return lines.sort();
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("skr8tr cp and port-forward reach a replica, and no further", async (t) => {
  await using all = await StreamCluster.start();
  const { folder } = all;
  const work = `${folder}/cwd`;
  await Deno.mkdir(`${folder}/tree/deep/er`, { recursive: true });
  const long = "n".repeat(150);
  const files = [["a.txt", 0o640], ["deep/run", 0o755], [`deep/er/${long}`, 0o600]] as const;
  for (const [path, mode] of files) {
    await Deno.writeTextFile(`${folder}/tree/${path}`, `it is ${path}`);
    await Deno.chmod(`${folder}/tree/${path}`, mode);
  }
  await Deno.chmod(`${folder}/tree/deep/er`, 0o750);
  await Deno.symlink("../a.txt", `${folder}/tree/deep/link`);
  const tree = await treeOf(`${folder}/tree`);
  await Deno.symlink("/etc/passwd", `${folder}/tree/out`);
  await Deno.symlink("../../../etc/passwd", `${folder}/tree/deep/out`);

  await t.step("a file goes there, under its name or another, and replaces a file", async () => {
    await Deno.writeTextFile(`${folder}/seed.json`, "{}");
    assertEquals((await all.skr8tr("cp", "seed.json", "echo:")).code, 0);
    assertEquals(await Deno.readTextFile(`${work}/seed.json`), "{}");
    await Deno.writeTextFile(`${folder}/seed.json`, "[]");
    const { code, out } = await all.skr8tr("cp", "seed.json", "echo/0:seed.json", "--json");
    assertEquals(code, 0);
    const { files, bytes, to } = JSON.parse(out);
    assertEquals([files, bytes], [1, 2]);
    assertMatch(to, /^echo\.\d+:seed\.json$/);
    assertEquals(await Deno.readTextFile(`${work}/seed.json`), "[]");
  });
  await t.step("a folder goes there and back with its modes and inner links", async () => {
    const { code, err } = await all.skr8tr("cp", "tree", "echo:copy");
    assertEquals(code, 0, err);
    assertStringIncludes(err, "left out: tree/out: a link that leads out, to /etc/passwd");
    assertEquals(await treeOf(`${work}/copy`), tree);
    await Deno.symlink("/etc", `${work}/copy/deep/evil`);
    const back = await all.skr8tr("cp", "echo:copy", "back");
    assertEquals(back.code, 0, back.err);
    assertStringIncludes(back.err, "left out: deep/evil: a link that leads out, to /etc");
    assertEquals(await treeOf(`${folder}/back`), tree);
  });
  await t.step("a folder that is there is not written into", async () => {
    const there = await all.skr8tr("cp", "tree", "echo:copy/deep/..");
    assertEquals(there.code, 0, there.err);
    const again = await all.skr8tr("cp", "tree", "echo:copy");
    assertEquals(again.code, 1);
    assertStringIncludes(again.err, "a folder tree is there already");
    const here = await all.skr8tr("cp", "echo:copy", ".");
    assertEquals(here.code, 0, here.err);
    const twice = await all.skr8tr("cp", "echo:copy", ".");
    assertStringIncludes(twice.err, "./copy is there already");
  });
  await t.step("a volume is the replica's own, too", async () => {
    const { out } = await all.skr8tr("exec", "echo", "printf %s $KEPT");
    const { code, err } = await all.skr8tr("cp", "seed.json", `echo:${out}/kept.json`);
    assertEquals(code, 0, err);
    assertEquals(await Deno.readTextFile(`${out}/kept.json`), "[]");
  });
  await t.step("what is not there, or no file, is told", async () => {
    const { code, err } = await all.skr8tr("cp", "echo:nothing", "here");
    assertEquals(code, 1);
    assertStringIncludes(err, "nothing is not there");
    assertStringIncludes((await all.skr8tr("cp", "seed.json", "echo:no/where/x")).err, "not there");
    assertStringIncludes((await all.skr8tr("cp", "a", "b")).err, "one of a replica, APP:PATH");
    assert(!(await names(folder)).some((name) => name.startsWith(".skr8tr-copy")));
  });
  await t.step("only an admin reaches out of the replica's folders", async () => {
    const outside = `${folder}/outside`;
    await Deno.mkdir(outside);
    await Deno.symlink(outside, `${work}/way-out`);
    assertEquals((await all.skr8tr("cp", "seed.json", `echo:${outside}/by-admin`)).code, 0);
    const made = await all.skr8tr("keygen", "--out", "eve.pub", "--key", `${folder}/eve.sec`);
    assertEquals(made.code, 0, made.err);
    const added = await all.skr8tr(
      ...["operator", "add", "eve", "--pubkey", "eve.pub", "--role", "exec"],
    );
    assertEquals(added.code, 0, added.err);
    const eve = (...words: string[]) => all.as(`${folder}/eve.sec`, ...words);
    assertEquals((await eve("cp", "seed.json", "echo:by-eve")).code, 0);
    const tries = [
      ["cp", "seed.json", `echo:${outside}/by-eve`],
      ["cp", "seed.json", "echo:way-out/by-eve"],
      ["cp", "seed.json", "echo:../outside/by-eve"],
      ["cp", `echo:${outside}`, "stolen"],
      ["cp", "echo:way-out", "stolen"],
    ];
    for (const words of tries) {
      const { code, err } = await eve(...words);
      assertEquals(code, 1, words.join(" "));
      assertStringIncludes(err, "lies outside the replica's folders", words.join(" "));
    }
    assertEquals(await names(outside), ["by-admin"]);
  });
  await t.step("who may not run commands there opens nothing", async () => {
    const grants = {
      looker: ["--role", "viewer"],
      neighbour: ["--role", "exec", "--namespace", "other"],
    };
    for (const [name, words] of Object.entries(grants)) {
      const key = `${folder}/${name}.sec`;
      await all.skr8tr("keygen", "--out", `${name}.pub`, "--key", key);
      const add = ["operator", "add", name, "--pubkey", `${name}.pub`, ...words];
      assertEquals((await all.skr8tr(...add)).code, 0);
      for (const tried of [["exec", "echo", "true"], ["cp", "echo:copy", "no"]]) {
        const { code, err } = await all.as(key, ...tried);
        assertEquals(code, 1, name);
        assertStringIncludes(err, "the conductor does not accept the signature", name);
      }
    }
  });
  await t.step("a copy that breaks off leaves nothing under the name", async () => {
    const before = await names(work);
    const big = `${folder}/big`;
    await Deno.writeFile(big, new Uint8Array(200_000_000));
    const child = all.spawn(["cp", "big", "echo:big"]);
    const temporary = async () => (await names(work)).find((name) => /^\.skr8tr-copy/.test(name));
    await until(20_000, "it has begun", async () => await temporary() !== undefined);
    kill(child.pid, "SIGKILL");
    await said(child);
    await until(10_000, "it is cleaned up", async () => await temporary() === undefined);
    assertEquals(await names(work), before);
    await Deno.rename(big, `${work}/big`);
    const back = all.spawn(["cp", "echo:big", "big"]);
    const begun = async () => (await names(folder)).some((name) => /^\.skr8tr-copy/.test(name));
    await until(20_000, "it comes back", begun);
    kill(back.pid, "SIGINT");
    assertEquals((await said(back)).code, 1);
    assert(!await begun() && !(await names(folder)).includes("big"));
    await Deno.remove(`${work}/big`);
  });

  await t.step("port-forward carries several connections, each way ending by itself", async () => {
    const child = all.spawn(["port-forward", "echo", "0", "--json"]);
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { listening: { host: hostname, port } } = JSON.parse((await lines.read()).value!);
    const ask = async (size: number) => {
      const connection = await Deno.connect({ hostname, port });
      const bytes = crypto.getRandomValues(new Uint8Array(65_536)).subarray(0, size % 65_536);
      const sent = new Uint8Array(size).fill(7);
      sent.set(bytes.subarray(0, Math.min(size, bytes.length)));
      // Only when we have ended does it answer: a half-closed connection goes on.
      const answer = new Response(connection.readable).bytes();
      for (let at = 0; at < sent.length;) at += await connection.write(sent.subarray(at));
      await connection.closeWrite();
      assertEquals(await answer, sent);
    };
    await Promise.all([1, 70_000, 1_000_000, 3_000_000].map(ask));
    child.kill("SIGINT");
    assertEquals((await child.status).code, 0);
    await lines.cancel();
    await child.stderr.cancel();
  });
  await t.step("only ports of the replica's own can be reached", async () => {
    using others = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const own = Number(await Deno.readTextFile(`${work}/aside.port`));
    for (const [remote, answer] of [[own, "aside"], [others.addr.port, ""]] as const) {
      const child = all.spawn(["port-forward", "echo/0", `0:${remote}`, "--json"]);
      const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      const { listening: { host: hostname, port } } = JSON.parse((await lines.read()).value!);
      const connection = await Deno.connect({ hostname, port });
      const text = await new Response(connection.readable).text().catch(() => "");
      assertEquals(text, answer);
      child.kill("SIGINT");
      await lines.cancel();
      const errors = await new Response(child.stderr).text();
      await child.status;
      if (answer !== "") continue;
      assertStringIncludes(errors, `does not listen at port ${remote} of node-`);
    }
  });
  await t.step("the audit says what was copied and forwarded", async () => {
    const { out } = await all.skr8tr("audit", "--app", "echo");
    for (const each of ["copy to seed.json", "copy from copy", "forward to its port"]) {
      assertStringIncludes(out, each);
    }
  });
  await all.cluster.stop();
});
