// Limits by the kernel itself, in a QEMU guest: this machine's own cgroup tree may have no controllers.

import { assert } from "@std/assert";
import { baseInitramfs, boot, findParts } from "./guest.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
const TESTS = 7;
const BOOT_MS = 900_000;

Deno.test("cgroup v2 keeps replicas to their memory and CPU, through the daemon's death", async () => {
  const parts = findParts();
  if ("missing" in parts) return console.log(`not run: ${parts.missing}`);
  const files = baseInitramfs(parts, "deno run -A --unstable-net /app/inside.js\n");
  files.bundle("app/inside.js", "tests/guest/inside.ts");
  files.bundle("app/node/live/node.js", "node/main.ts");
  for (const file of ["live/health.worker.ts", "live/autoscale.worker.ts", "autoscale.ts"]) {
    files.text(`app/node/${file}`, Deno.readTextFileSync(`${ROOT}node/${file}`));
  }
  const said = await boot(parts, files, BOOT_MS);
  const verdicts = said.match(/^(ok|FAILED) .*$/gm) ?? [];
  for (const each of verdicts) console.log(each.trim());
  assert(verdicts.length === TESTS && verdicts.every((each) => each.startsWith("ok ")), said);
});
