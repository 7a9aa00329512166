import { assertEquals } from "@std/assert";
import { tooMany } from "./wait.ts";

Deno.test("tooMany() says how long to wait, in whole minutes", () => {
  for (
    const [seconds, wait] of [
      [undefined, "a minute"],
      [1, "a minute"],
      [60, "a minute"],
      [61, "2 minutes"],
      [900, "15 minutes"],
    ] as const
  ) assertEquals(tooMany(seconds), `Too many tries. Wait ${wait}, then try again.`);
});
