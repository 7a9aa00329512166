// README.md, word for word: its `sh` blocks are run in their order in one shell, in a copy of the
// project and a network of its own, where every port and 10.0.0.0/24 are free.
//
// Info strings: `sh` is run; `sh cluster` is started and stopped before the first `sh daemons`, whose
// commands go on in the background; `sh no-run` is not run (the npx lines are what CI itself starts
// with); `text NAME` is a file that the reader saves.

import { sweepReplicas } from "../../cli/cluster/sweep.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  type Block,
  blocksOf,
  copyProject,
  ownNetwork,
  ROOT,
  runScript,
  WAIT,
} from "./documents.ts";

/** The shell script that a reader of these blocks would have typed. */
function scriptOf(blocks: readonly Block[]): string {
  const parts = blocks.map(({ info, text }, at) => {
    const mark = `echo "=== ${at}"`;
    switch (info) {
      case "sh":
        return `${mark}\n${text}`;
      case "sh cluster":
        return `${mark}\n${text.trim()} >cluster.output 2>&1 &\n` +
          "wait_until curl -sf 'http://127.0.0.1:8080/api/products?per_page=1'\n" +
          "wait_until grep -q 8080 cluster.output";
      case "sh conductor":
        return `${mark}\nstop_all\n${text.trim()} >conductor.output 2>&1 &\n` +
          "wait_until curl -sf http://10.0.0.1:7771/health";
      case "sh daemons":
        return `${mark}\n` +
          text.trim().split(/\n\n+/).map((command, number) =>
            `${command} >daemon-${number}.output 2>&1 &`
          ).join("\n") +
          "\nwait_until sh -c 'deno task -q skr8tr --conductor 10.0.0.1 nodes | grep -q ready'";
      default:
        return "";
    }
  });
  return `set -e\n${WAIT}\n${
    parts.join("\n")
  }\nwait_until sh -c '! deno task -q skr8tr list | grep -q hello'\necho "=== end"\n`;
}

Deno.test("README begins with the two commands for a machine with Node.js only", async () => {
  const [first, second] = blocksOf(await Deno.readTextFile(`${ROOT}/README.md`));
  assertMatch(
    first!.text,
    /^npx -y deno@2\.9\.6 task cluster\b.*\nnpx -y deno@2\.9\.6 task test\b.*\n$/,
  );
  assertEquals(second, { info: "sh cluster", text: "deno task cluster\n" });
});

Deno.test("README names only files that exist, and only known kinds of blocks", async () => {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  // The picture is made by tests/browser.
  for (const [, path] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
    if (path !== "docs/shop-1280.png") await Deno.stat(`${ROOT}/${path}`);
  }
  const kinds = [
    "sh",
    "sh cluster",
    "sh conductor",
    "sh daemons",
    "sh no-run",
    "text shop-bell.skr8tr",
  ];
  for (const { info } of blocksOf(readme)) assert(kinds.includes(info), `a block of ${info}`);
});

Deno.test("README's manifest is about 18 lines", async () => {
  const blocks = blocksOf(await Deno.readTextFile(`${ROOT}/README.md`));
  const manifest = blocks.find(({ info }) => info === "text shop-bell.skr8tr")!.text;
  assertEquals(manifest.trimEnd().split("\n").length, 18);
});

const network = await ownNetwork();
if (network === null) {
  console.log(
    "README's commands: not run: no network of their own (unshare --net, ip) is to be had",
  );
}

Deno.test({
  name: "README's commands work as printed",
  ignore: network === null,
  fn: async () => {
    const blocks = blocksOf(await Deno.readTextFile(`${ROOT}/README.md`));
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-readme-" });
    // The cluster's nodes stop their replicas; the node of its own leaves them to its successor.
    const states = ["state/node", ".skr8tr/node-1", ".skr8tr/node-2", ".skr8tr/node-3"];
    const sweep = () => sweepReplicas(states.map((state) => `${folder}/${state}`));
    try {
      await copyProject(folder);
      for (const { info, text } of blocks) {
        const name = /^text (\S+)$/.exec(info)?.[1];
        if (name !== undefined) await Deno.writeTextFile(`${folder}/${name}`, text);
      }
      const addresses = ["10.0.0.1", "10.0.0.2"];
      const { code, out: said, err } = await runScript(
        folder,
        scriptOf(blocks),
        network!,
        addresses,
      );
      assertEquals(code, 0, said + err);
      assertMatch(said, /^shop-bell generation 1 ready in /m);
      assertMatch(said, /^hello from shop-bell\.[12] on node-[123]$/m);
      assertMatch(said, /^shop-bell down$/m);
      assertMatch(said, /^den .*\bready\b/m);
      assertMatch(said, /^hello from hello\.[12] on den$/m);
      assertStringIncludes(said, "=== end\n");
      assertEquals(await sweep(), [], "replicas were left behind");
    } finally {
      await sweep();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
