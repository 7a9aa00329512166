import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../core/limits.ts";
import { Orders } from "./orders.ts";

Deno.test("takeDue() repeats an order with a doubling wait until it is done", () => {
  const orders = new Orders();
  orders.want("run", "web.1", "node", 1_000);
  let nowMs = 1_000;
  for (let waitMs = RETRY_MIN_MS; waitMs < 2 * RETRY_MAX_MS; waitMs *= 2) {
    assertEquals(orders.takeDue(nowMs).map(({ replica }) => replica), ["web.1"]);
    const nextMs = nowMs + Math.min(waitMs, RETRY_MAX_MS);
    assertEquals(orders.nextDueMonoMs(), nextMs);
    assertEquals(orders.takeDue(nextMs - 1), []);
    nowMs = nextMs;
  }
  orders.done("stop", "web.1");
  assertEquals(orders.size, 1);
  orders.done("run", "web.1");
  assertEquals([orders.size, orders.nextDueMonoMs(), orders.takeDue(nowMs)], [0, Infinity, []]);
});

Deno.test("want() replaces an order by a different one and keeps the same one's wait", () => {
  const orders = new Orders();
  orders.want("run", "web.1", "node", 0);
  orders.takeDue(0);
  orders.want("run", "web.1", "node", 1);
  assertEquals(orders.takeDue(1), []);
  orders.want("stop", "web.1", "node", 1);
  assertEquals(orders.takeDue(1).map(({ kind }) => kind), ["stop"]);
});

Deno.test("nextDueMonoMs() is never later than an order is due, whatever came before", () => {
  const replica = fc.integer({ min: 0, max: 5 }).map((number) => `web.${number}`);
  const action = fc.oneof(
    fc.record({ do: fc.constant("want" as const), replica, node: fc.constantFrom("a", "b") }),
    fc.record({ do: fc.constant("done" as const), replica }),
    fc.record({ do: fc.constant("drop" as const), replica }),
    fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
  );
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
    const orders = new Orders();
    const known = new Set<string>();
    let nowMs = 0;
    for (const each of actions) {
      if (each.do === "pass") nowMs += each.ms;
      else known.add(each.replica);
      if (each.do === "want") orders.want("run", each.replica, each.node, nowMs);
      if (each.do === "done") orders.done("run", each.replica);
      if (each.do === "drop") orders.drop(each.replica);
      const wanted = [...known].flatMap((replica) => orders.get(replica) ?? []);
      const due = wanted.filter(({ dueMs }) => dueMs <= nowMs);
      assertEquals(orders.size, wanted.length);
      for (const { dueMs } of wanted) assertEquals(orders.nextDueMonoMs() <= dueMs, true);
      assertEquals(new Set(orders.takeDue(nowMs)), new Set(due));
    }
  }));
});
