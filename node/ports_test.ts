import { assertEquals } from "@std/assert";
import { PORT_REST_MS, PORT_TRIES } from "../core/limits.ts";
import { PortTable } from "./ports.ts";

const NONE: ReadonlySet<number> = new Set();

Deno.test("next() prefers what the replica had, then the app's port, then the range", () => {
  const table = new PortTable(20_000, 20_002);
  const wish = { number: 8001, fixed: false };
  assertEquals(table.next("a", wish, undefined, NONE), 8001);
  assertEquals(table.next("a", wish, 20_001, NONE), 20_001);
  assertEquals(table.next("a", wish, undefined, new Set([8001])), 20_000);
});

Deno.test("a port that was handed out is never handed to another replica", () => {
  const table = new PortTable(20_000, 20_001);
  const wish = { number: 8001, fixed: false };
  const given = ["a", "b", "c"].map((replica) => {
    const port = table.next(replica, wish, undefined, NONE)!;
    table.take(port, replica);
    return port;
  });
  assertEquals(new Set(given), new Set([8001, 20_000, 20_001]));
  assertEquals(table.next("d", wish, undefined, NONE), null);
  table.release("b");
  assertEquals(table.next("d", wish, undefined, NONE), given[1]);
});

Deno.test("a fixed port is this one or none", () => {
  const table = new PortTable(20_000, 29_999);
  const wish = { number: 8001, fixed: true };
  assertEquals(table.next("a", wish, 20_005, NONE), 8001);
  assertEquals(table.next("a", wish, undefined, new Set([8001])), null);
  table.take(8001, "a");
  assertEquals(table.next("b", wish, undefined, NONE), null);
  assertEquals(table.next("a", wish, 8001, NONE), 8001);
});

Deno.test("next() gives up after a bounded number of refusals", () => {
  const table = new PortTable(20_000, 29_999);
  const refused = new Set<number>();
  let tries = 0;
  for (;;) {
    const port = table.next("a", { number: 8001, fixed: false }, undefined, refused);
    if (port === null) break;
    refused.add(port);
    tries++;
  }
  assertEquals(tries, PORT_TRIES);
});

Deno.test("a port rests before another app gets it, unless there is no other", () => {
  const table = new PortTable(20_000, 20_001);
  const wish = { number: 8001, fixed: false };
  const web = { app: "web", nowMs: 0 };
  table.take(8001, "web.1");
  table.release("web.1", web);
  const ask = (app: string, nowMs: number, refused: number[] = []) =>
    table.next("x", wish, undefined, new Set(refused), { app, nowMs });
  assertEquals(ask("web", 1), 8001);
  assertEquals(ask("shop", 1), 20_000);
  assertEquals(ask("shop", PORT_REST_MS), 8001);
  assertEquals(ask("shop", 1, [20_000, 20_001]), 8001, "better than none");
  const fixed = { number: 8001, fixed: true };
  assertEquals(table.next("x", fixed, undefined, new Set(), { app: "shop", nowMs: 1 }), 8001);
});
