import { assertEquals } from "@std/assert";
import { inCallOrder } from "./call_order.ts";

Deno.test("inCallOrder() puts each span behind its asker, whatever clocks and ways say", () => {
  const spans: [string, string | null, number][] = [
    // The innermost ends first and is told first; the second machine's clock is behind.
    ["c", "b", 100],
    ["b", "a", 95],
    ["d", "a", 104],
    ["a", "of the ingress", 100],
    ["y", "z", 1_000],
    ["z", "y", 1_000],
    ["self", "self", 1_000],
  ];
  const ordered = inCallOrder(spans, ([id, asker, startMs]) => ({ id, asker, startMs }));
  assertEquals(
    ordered.map(({ span: [id], depth }) => `${id}${depth}`),
    ["a0", "b1", "c2", "d1", "y0", "z0", "self0"],
  );
});
