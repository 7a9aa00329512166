// `build` and `artifact` of `skr8tr up`, against a real conductor.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fingerprint } from "../core/signed.ts";
import { start } from "../conductor/live/rig_test.ts";
import { makeKeys } from "./keys.ts";
import { main } from "./main.ts";
import { barLine } from "./render/upload.ts";
import { keptOutput } from "./testing/output.ts";
import { Way } from "./testing/way.ts";

async function stage() {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-ship-" });
  await makeKeys(`${folder}/signing.sec`, `${folder}/ops.pub`);
  const key = await Deno.readFile(`${folder}/ops.pub`);
  const operators = new Map([[fingerprint(key), key]]);
  const conductor = await start(`${folder}/conductor`, { operators });
  const { hostname, port } = conductor.commands;
  const way = new Way(conductor.commands);
  return {
    folder,
    way,
    stored: () => [...Deno.readDirSync(`${folder}/conductor/artifacts`)].map((each) => each.name),
    async up(manifest: string, ...words: string[]) {
      await Deno.writeTextFile(`${folder}/app.skr8tr`, manifest);
      const output = keptOutput();
      const code = await main([
        ...["--conductor", way.address, "--key", `${folder}/signing.sec`],
        ...["up", `${folder}/app.skr8tr`, ...words],
      ], output);
      return { code, out: output.printed.join("\n"), err: output.noted.join("\n") };
    },
    async generation(app: string) {
      const response = await fetch(`http://${hostname}:${port}/api/apps/${app}`);
      return response.ok ? (await response.json()).generation as number : 0;
    },
    async [Symbol.asyncDispose]() {
      await way[Symbol.asyncDispose]();
      await conductor.stop("the test is over");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const APP = "app shop\n  exec ${ARTIFACT}/server\n  artifact {\n    from server\n  }\n";

Deno.test("up uploads what the conductor lacks, and a second up moves nothing", async () => {
  await using at = await stage();
  const content = new Uint8Array(9_000_000).map((_, index) => index & 0xff);
  await Deno.writeFile(`${at.folder}/server`, content);
  const first = await at.up(APP);
  assertEquals(first.code, 0, first.err);
  assertStringIncludes(first.err, "shop: artifact uploaded, 9.0 MB");
  assertEquals(at.stored().length, 1);
  const second = await at.up(APP);
  assertStringIncludes(second.out, "shop unchanged (generation 1)");
  assert(!second.err.includes("uploaded"), second.err);
  // Another generation that runs from the same bytes.
  at.way.requests.length = 0;
  const same = await at.up(`${APP}  env {\n    RELEASE 2\n  }\n`);
  assertEquals([same.code, await at.generation("shop")], [0, 2], same.err);
  assertEquals([partsOf(at.way), same.err.includes("uploaded")], [[], false]);
  await Deno.writeFile(`${at.folder}/server`, content.subarray(1));
  const third = await at.up(APP);
  assertStringIncludes(third.err, "shop: artifact uploaded");
  assertEquals([await at.generation("shop"), at.stored().length], [3, 2]);
});

/** At which byte each part of an upload began. */
function partsOf(way: Way): number[] {
  return way.requests.flatMap((line) => {
    const [, offset] = /^POST \/artifacts\/[0-9a-f]{64}\?offset=([0-9]+) /.exec(line) ?? [];
    return offset === undefined ? [] : [Number(offset)];
  });
}

Deno.test("an upload that is cut in the middle, and loses answers, goes on where it was", async () => {
  await using at = await stage();
  const content = new Uint8Array(9_000_000).map((_, index) => (index * 7) & 0xff);
  await Deno.writeFile(`${at.folder}/server`, content);
  let part = 0;
  at.way.fateOf = (line) => {
    if (/^POST \/command /.test(line)) return { losesAnswer: !at.way.requests.includes(line, 1) };
    if (!/^POST \/artifacts\//.test(line)) return {};
    part++;
    return { losesAnswer: part === 3, ...(part === 2 ? { cutAtByte: 2_000_000 } : {}) };
  };
  const { code, err } = await at.up(APP);
  assertEquals([code, await at.generation("shop")], [0, 1], err);
  assertEquals(at.stored().length, 1);
  const offsets = partsOf(at.way);
  const [first, second, third, ...more] = offsets;
  assertEquals([first, second], [0, 4 * 2 ** 20]);
  // Of the part that was cut some has come; the one after it has come as a whole.
  assert(third! > second! && third! < second! + 2_000_000, `${offsets}`);
  assertEquals(
    more,
    [third! + 4 * 2 ** 20].filter((offset) => offset < content.length),
    `${offsets}`,
  );
});

Deno.test("an upload gives up where nothing gets through, and the next one goes on", async () => {
  await using at = await stage();
  await Deno.writeFile(`${at.folder}/server`, new Uint8Array(9_000_000));
  at.way.fateOf = (line) => /offset=[1-9]/.test(line) ? { cutAtByte: 50 } : {};
  const { code, err } = await at.up(APP);
  assertEquals([code, at.stored()[0]?.endsWith(".part")], [2, true], err);
  at.way.fateOf = () => ({});
  at.way.requests.length = 0;
  const again = await at.up(APP);
  assertEquals(again.code, 0, again.err);
  assertEquals(partsOf(at.way), [4 * 2 ** 20, 8 * 2 ** 20]);
});

Deno.test("nothing is sent where an artifact is missing, changed, or leads out", async () => {
  await using at = await stage();
  const missing = await at.up(APP);
  assertEquals(missing.code, 1);
  assertMatch(missing.err, /shop: cannot read the artifact .*\/server: there is nothing/);
  await Deno.writeTextFile(`${at.folder}/server`, "x");
  const changed = await at.up(
    APP.replace("server\n  }", `server\n    sha256 ${"0".repeat(64)}\n  }`),
  );
  assertMatch(changed.err, /has the SHA-256 [0-9a-f]{64}, the manifest says 0{64}/);
  await Deno.mkdir(`${at.folder}/tree`);
  await Deno.symlink("/etc/passwd", `${at.folder}/tree/link`);
  const out = await at.up(APP.replace("from server", "from tree"));
  assertMatch(out.err, /the link .*\/tree\/link leads out, to \/etc\/passwd/);
  assertEquals(await at.generation("shop"), 0);
});

Deno.test("a build runs in the manifest's folder, and stops the deploy where it fails", async () => {
  await using at = await stage();
  const build = (run: string, out = "dist/server") =>
    `app shop\n  exec \${ARTIFACT}/server\n  build {\n    run ${run}\n    out ${out}\n  }\n` +
    "  artifact {\n    from dist\n  }\n";
  const dry = await at.up(build("exit 1"), "--dry-run");
  assertEquals(dry.code, 0, dry.err);
  const failed = await at.up(build("exit 3"));
  assertEquals(failed.code, 1);
  assertStringIncludes(failed.err, "shop: its build exited with code 3: exit 3");
  const nothing = await at.up(build("true"));
  assertMatch(nothing.err, /shop: its build did not make .*\/dist\/server: true/);
  const good = await at.up(build("mkdir dist && echo '#!/bin/sh' >dist/server"));
  assertEquals(good.code, 0, good.err);
  assertEquals(await at.generation("shop"), 1);
});

Deno.test("barLine() shows how far an upload is", () => {
  assertEquals(
    barLine("shop", 26_214_400, 52_428_800),
    "shop  [############------------]  50 %  26.2 of 52.4 MB",
  );
  assertEquals(barLine("x", 0, 0), "x  [########################] 100 %  0.0 of 0.0 MB");
});
