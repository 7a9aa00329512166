import { assertEquals } from "@std/assert";
import { until } from "./fake_cluster.ts";
import { findRunners, runnersOf } from "./runners.ts";
import { type Bench, bench } from "./testing.ts";

Deno.test("runners stand beside the node's file; those of a compiled node beside its program", () => {
  const here = findRunners();
  assertEquals([here.deno, here.ending, here.apart], [Deno.execPath(), "ts", undefined]);
  assertEquals(Deno.statSync(`${here.folder}/static.ts`).isFile, true);
  const compiled = runnersOf({
    standalone: true,
    arch: "x86_64",
    program: "/opt/skr8tr/skr8tr-node",
    url: "file:///tmp/deno-compile-skr8tr-node/node/live/runners.ts",
    here: new URL("file:///tmp/deno-compile-skr8tr-node/node/live/"),
  });
  assertEquals(compiled, {
    deno: "deno",
    folder: "/opt/skr8tr/runners",
    ending: "js",
    arch: "x86_64",
    apart: true,
  });
});

Deno.test("a compiled node without Deno, or without its runners, says what is missing and what to do", async () => {
  await using all = await bench({
    path: "/usr/bin:/bin",
    runners: {
      deno: "deno-of-nobody",
      folder: "/nowhere",
      ending: "js",
      arch: "x86_64",
      apart: true,
    },
  });
  const serve = (port: number) => `  serve {\n    static /usr\n    port ${port}\n  }`;
  const told = (one: Bench) =>
    until("refused", () => one.cluster.statuses.get("web-1")?.exit?.tail);
  all.run(serve(31_530));
  assertEquals(
    await told(all),
    "what a compiled node runs it by, deno-of-nobody is not on this node's path; install Deno " +
      "there and name its folder in the node's --path, or run the node from a bundle, which brings " +
      "its own",
  );
  await using other = await bench({
    path: "/usr/bin:/bin",
    runners: { deno: "sh", folder: "/nowhere", ending: "js", arch: "x86_64", apart: true },
  });
  other.run(serve(31_531));
  assertEquals(
    await told(other),
    "what the node runs it by, /nowhere/static.js does not exist on this node; put the folder " +
      "`runners` that was compiled with the node beside its program",
  );
});
