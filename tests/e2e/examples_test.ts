// Every manifest of docs/examples, deployed to a real cluster and asked.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type ReadyLine, startClusterTask, until } from "./cluster_process.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
const EXAMPLES = `${ROOT}/docs/examples`;

interface Example {
  /** A program that the machine must have. */
  readonly needs?: string;
  /** A path at the ingress and what answers there. */
  readonly asks?: readonly [path: string, answer: RegExp];
  /** What a run of this job writes. */
  readonly runs?: RegExp;
  /** A line that some replica must have written. */
  readonly writes?: readonly [app: string, line: RegExp];
}

const TESTED: Readonly<Record<string, Example>> = {
  "hello.skr8tr": { asks: ["/hello", /^hello from hello\.[12] on node-[123]\n$/] },
  "files.skr8tr": { needs: "python3", asks: ["/files/examples/files.skr8tr", /^app files$/m] },
  "static.skr8tr": { needs: "busybox", asks: ["/static/examples/static.skr8tr", /^app static$/m] },
  "site.skr8tr": { asks: ["/site/any/where", /<h1>A site<\/h1>/] },
  "fenced.skr8tr": { asks: ["/fenced", /^hello from fenced\.1 on node-[123]\n$/] },
  "cell.skr8tr": { needs: "bwrap", asks: ["/cell/", /<h1>A site<\/h1>/] },
  "backup.skr8tr": { runs: /^run by 0 on node-[123]\ndone$/m },
  "migrate.skr8tr": { runs: /^moved$/m },
  "module.skr8tr": { needs: "clang", writes: ["module", /hello from a module, 2 words/] },
  "machine.skr8tr": {
    needs: "qemu-system-x86_64",
    writes: ["machine", /machine on node-[123] is up/],
  },
  "packed.skr8tr": { asks: ["/packed", /^hello from packed\.[12] on node-[123]\n$/] },
  "node.skr8tr": { needs: "node", asks: ["/greeter/x", /^good day from node-[123], .* \/x\n$/] },
  "ticker.skr8tr": { writes: ["ticker", /tick ticker 0$/m] },
  "pair.skr8tr": { asks: ["/asker", /^asked: hello from answer\.[12] on node-[123]\n$/] },
};

/** Nodes of the cluster look for programs here, and where Deno is. */
const PATH = ["/usr/local/bin", "/usr/bin", "/bin"];

async function isThere(program: string): Promise<boolean> {
  const found = PATH.map((folder) => Deno.stat(`${folder}/${program}`).then(() => true));
  return await Promise.any(found).catch(() => false);
}

async function skr8tr(ready: ReadyLine, state: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "-q", "skr8tr", ...words],
    cwd: ROOT,
    env: {
      SKR8TR_CONDUCTOR: ready.conductor,
      SKR8TR_TOWER: ready.tower,
      SKR8TR_KEY: `${state}/signing.sec`,
    },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, text(stdout) + text(stderr));
  assert(!text(stderr).includes("not acted on yet"), text(stderr));
  return text(stdout);
}

Deno.test("the manifests of docs/examples run as they stand", async (t) => {
  const names = (await Array.fromAsync(Deno.readDir(EXAMPLES))).map(({ name }) => name)
    .filter((name) => name.endsWith(".skr8tr"));
  assertEquals(names.sort(), Object.keys(TESTED).sort(), "each example has its line in this test");

  await using cluster = await startClusterTask();
  const ready = await cluster.ready();
  assert(ready.ready, ready.error);
  for (const [name, { needs, asks, writes, runs }] of Object.entries(TESTED)) {
    if (needs !== undefined && !await isThere(needs)) {
      console.log(`${name}: not run: ${needs} is not on ${PATH.join(":")}`);
      continue;
    }
    await t.step(name, async () => {
      const said = await skr8tr(ready, cluster.state, "up", "--wait", `${EXAMPLES}/${name}`);
      assertMatch(said, /generation 1 ready in /);
      if (runs) {
        const wrote = await skr8tr(ready, cluster.state, "run", "--wait", `${EXAMPLES}/${name}`);
        assertMatch(wrote, runs);
      }
      if (asks) {
        const [path, answer] = asks;
        // Ready at the conductor comes a moment before the ingress has heard of it.
        let body = "";
        await until(5_000, `${path} answers`, async () => {
          const response = await fetch(ready.ingress + path);
          body = await response.text();
          return response.status === 200;
        });
        assertMatch(body, answer);
      }
      if (writes) {
        const [app, line] = writes;
        let log = "";
        await until(120_000, `${app} writes ${line}`, async () => {
          log = await skr8tr(ready, cluster.state, "logs", app);
          return line.test(log);
        });
      }
      await skr8tr(ready, cluster.state, "down", `${EXAMPLES}/${name}`);
    });
  }
  if (!await isThere("git")) console.log(`push: not run: git is not on ${PATH.join(":")}`);
  else await t.step("push/post-receive", () => pushes(ready, cluster.state));
  await cluster.stop();
});

/** From `git push` to what the ingress answers, by the hook as it stands. */
async function pushes(ready: ReadyLine, state: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-push-" });
  const [bare, work] = [`${folder}/bare.git`, `${folder}/work`];
  const git = async (cwd: string, ...words: string[]): Promise<string> => {
    const { success, stderr } = await new Deno.Command("git", {
      args: ["-c", "user.name=test", "-c", "user.email=test@localhost", ...words],
      cwd,
      // The key of the cluster, not of who runs the test.
      env: { SKR8TR_KEY: "", SKR8TR_CONDUCTOR: "", NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    const said = new TextDecoder().decode(stderr);
    assert(success, `git ${words.join(" ")}: ${said}`);
    return said;
  };
  const push = async (branch: string): Promise<string> => {
    await git(work, "add", "--all");
    await git(work, "commit", "--quiet", "--message", "a release");
    return await git(work, "push", bare, `HEAD:${branch}`);
  };
  const write = async (app: string, more = "") => {
    const text = `app ${app}\n  serve {\n    static \${ARTIFACT}\n    port 8680\n  }\n${more}` +
      `  artifact {\n    from site\n  }\n  route {\n    path /${app}\n    strip yes\n  }\n`;
    await Deno.writeTextFile(`${work}/${app}.skr8tr`, text);
  };
  try {
    await git(folder, "init", "--quiet", "--bare", bare);
    await git(folder, "init", "--quiet", work);
    await Deno.copyFile(`${EXAMPLES}/push/post-receive`, `${bare}/hooks/post-receive`);
    await Deno.chmod(`${bare}/hooks/post-receive`, 0o755);
    const run = `exec '${Deno.execPath()}' run -A --quiet '--config=${ROOT}/deno.json'`;
    await Deno.writeTextFile(
      `${folder}/skr8tr`,
      `#!/bin/sh\n${run} '${ROOT}/cli/main.ts' "$@"\n`,
      { mode: 0o755 },
    );
    await git(bare, "config", "skr8tr.program", `${folder}/skr8tr`);
    await git(bare, "config", "skr8tr.key", `${state}/signing.sec`);
    await git(bare, "config", "skr8tr.conductor", ready.conductor);
    await Deno.mkdir(`${work}/site`);
    await Deno.writeTextFile(`${work}/site/first.txt`, "one\n");
    await write("pushed");
    await write("gone-soon");
    const first = await push("main");
    assertMatch(first, /deploying [0-9a-f]+ a release/);
    assertMatch(first, /pushed generation 1 ready in /);
    await until(5_000, "the page is served", async () => {
      const response = await fetch(`${ready.ingress}/pushed/first.txt`);
      return await response.text() === "one\n";
    });

    // A file and a manifest that are gone are deployed no more.
    await skr8tr(ready, state, "down", "gone-soon");
    await Deno.remove(`${work}/gone-soon.skr8tr`);
    await Deno.rename(`${work}/site/first.txt`, `${work}/site/second.txt`);
    const second = await push("main");
    assertMatch(second, /pushed generation 2 ready in /);
    assert(!second.includes("gone-soon"), second);
    await until(5_000, "the new page is served", async () => {
      const [old, fresh] = await Promise.all(["first", "second"].map(async (name) => {
        const response = await fetch(`${ready.ingress}/pushed/${name}.txt`);
        await response.body?.cancel();
        return response.status;
      }));
      return old === 404 && fresh === 200;
    });

    await write("pushed", "  replcas 2\n");
    assertMatch(await push("main"), /did you mean "replicas"\?/);
    await write("pushed", "  replicas 2\n");
    const other = await push("other-branch");
    assert(!other.includes("deploying"), other);
    await skr8tr(ready, state, "down", "pushed");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
