// docs/TUTORIAL.md and docs/WORKLOADS.md, word for word: files are saved where the page shows them,
// commands are run where it says them, in one shell, in a copy of the project and a network of its
// own.

import { assertMatch } from "@std/assert";
import { followPage, linksOf, ownNetwork, ROOT } from "./documents.ts";

const network = await ownNetwork();
if (network === null) {
  console.log("the tutorial: not run: no network of its own (unshare --net, ip) is to be had");
}

for (const page of ["TUTORIAL.md", "WORKLOADS.md", "OPERATIONS.md"]) {
  Deno.test(`${page} links only to what exists`, async () => {
    for (const path of await linksOf(page)) await Deno.stat(`${ROOT}/docs/${path}`);
  });
}

Deno.test({
  name: "TUTORIAL.md works as printed",
  ignore: network === null,
  fn: async () => {
    const said = await followPage("TUTORIAL.md", network!);
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
  },
});

Deno.test({
  name: "WORKLOADS.md works as printed",
  ignore: network === null,
  fn: async () => {
    const said = await followPage("WORKLOADS.md", network!);
    for (
      const expected of [
        /"replica":"product-svc\.1","host":"127\.0\.0\.1\d","port":\d+/,
        /^127\.0\.0\.1\d$/m,
        /^(\d+ \d+ \d+ 127-0-0-1\d\.product-svc\.skr8tr\.\n){2}(\d+ \d+ \d+ \S+\n){2}/m,
        /^=== end$/m,
      ]
    ) assertMatch(said, expected);
  },
});
