import { assertEquals } from "@std/assert";
import { UNPLACED_NODES } from "../../core/limits.ts";
import { unplacedLines } from "./unplaced.ts";

Deno.test("unplacedLines() says for each node why not", () => {
  assertEquals(unplacedLines("cart-svc", ["node-3: needs 256 MiB, 181 MiB free"]), [
    "cannot place cart-svc on node-3: needs 256 MiB, 181 MiB free",
  ]);
  assertEquals(unplacedLines("cart-svc", ["no node has joined"]), [
    "cannot place cart-svc: no node has joined",
  ]);
});

Deno.test("unplacedLines() counts the many by their reasons", () => {
  const refusals = Array.from(
    { length: UNPLACED_NODES + 9 },
    (_, at) =>
      at < UNPLACED_NODES + 6
        ? `node-${at}: needs 256 MiB, ${at} MiB free`
        : `node-${at}: it is not answering`,
  );
  const lines = unplacedLines("web", refusals);
  assertEquals(lines.length, UNPLACED_NODES + 1);
  assertEquals(
    lines.at(-1),
    "cannot place web on 9 more nodes: needs 256 MiB (6); it is not answering (3)",
  );
});
