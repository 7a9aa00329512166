// One minute of `deno task soak`.
// Row 19 of the scoreboard of faults.

import { assert, assertEquals } from "@std/assert";
import { NotMeasured } from "../../bench/row.ts";
import { soak } from "../soak/soak.ts";

Deno.test("under deploys, kills and reloads for a minute no idempotent request fails and nothing grows", async () => {
  const minutes = Number(Deno.env.get("SOAK_MINUTES") ?? 1);
  const found = await soak(minutes, console.log).catch((error) => {
    if (error instanceof NotMeasured) return null;
    throw error;
  });
  if (found === null) return console.log("not run: busybox and nginx are not installed");
  assertEquals(found.failures, []);
  assertEquals(found.growth, []);
  assert(found.sent > 1_000 * minutes, `only ${found.sent} requests`);
  for (const what of ["deploy", "kill a replica", "kill node-3"]) {
    assert((found.done.get(what) ?? 0) > 0, `never: ${what} (${[...found.done]})`);
  }
});
