// docs/TUTORIAL.md, word for word: files are saved where the page shows them, commands are run where
// it says them, in one shell, in a copy of the project and a network of its own.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { sweepReplicas } from "../../cli/cluster/sweep.ts";
import { blocksOf, copyProject, denoDir, ownNetwork, ROOT, WAIT } from "./documents.ts";

const network = await ownNetwork();
if (network === null) {
  console.log("the tutorial: not run: no network of its own (unshare --net, ip) is to be had");
}

/** The script of somebody who follows the page. */
function scriptOf(markdown: string): string {
  const parts = blocksOf(markdown).map(({ info, text }, at) => {
    const mark = `echo "=== ${at}"`;
    if (info === "sh") return `${mark}\n${text}`;
    if (info === "sh cluster") {
      return `${mark}\n${text.trim()} >cluster.output 2>&1 &\n` +
        "wait_until grep -q 'ready in' cluster.output";
    }
    const [, file] = /^\w+ (mine\/\S+)$/.exec(info) ?? [];
    assert(file !== undefined, `a block of ${info}`);
    const folder = file.slice(0, file.lastIndexOf("/"));
    return `mkdir -p ${folder}\ncat >${file} <<'END OF FILE'\n${text}END OF FILE`;
  });
  return `set -e\n${WAIT}\n${parts.join("\n")}\necho "=== end"\n`;
}

Deno.test("TUTORIAL.md links only to what exists", async () => {
  const page = await Deno.readTextFile(`${ROOT}/docs/TUTORIAL.md`);
  for (const [, path] of page.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)) {
    await Deno.stat(`${ROOT}/docs/${path}`);
  }
});

Deno.test({
  name: "TUTORIAL.md works as printed",
  ignore: network === null,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-tutorial-" });
    const sweep = () =>
      sweepReplicas([1, 2, 3].map((number) => `${folder}/.skr8tr/node-${number}`));
    try {
      await copyProject(folder);
      const page = await Deno.readTextFile(`${ROOT}/docs/TUTORIAL.md`);
      await Deno.writeTextFile(`${folder}/script.sh`, scriptOf(page));
      await Deno.mkdir(`${folder}/home`);
      const setup = ["set -e", "unset INIT_CWD", "ip link set lo up", "exec bash script.sh"];
      const { code, stdout, stderr } = await new Deno.Command("unshare", {
        args: [...network!, "sh", "-c", setup.join("\n")],
        cwd: folder,
        env: { ...await denoDir(), HOME: `${folder}/home`, NO_COLOR: "1", SKR8TR_KEY: "" },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).output();
      const said = new TextDecoder().decode(stdout);
      assertEquals(code, 0, said + new TextDecoder().decode(stderr));
      for (
        const expected of [
          /^notes generation 1 ready in /m,
          /^\{"from":"notes\.1","notes":\["buy milk"\]\}$/m,
          /^\{"from":"notes\.2","notes":\["buy milk"\]\}$/m,
          /GET \//,
          /^it is \d\d:\d\d:\d\d$/m,
          /^<h1>It works\.<\/h1>$/m,
          /^\+ .*\bsha256\b/m,
          /^notes generation 2 ready in /m,
          /"notes":\["buy milk","call Ann"\]/,
          /^notes generation 3 .*\n/m,
          /exit code 7/,
          /http:\/\/127\.0\.0\.1:7771\/deck#[0-9a-f]{64}/,
          /^page down$/m,
          /^=== end$/m,
        ]
      ) assertMatch(said, expected);
    } finally {
      assertEquals(await sweep(), [], "replicas were left behind");
      await Deno.remove(folder, { recursive: true });
    }
  },
});
