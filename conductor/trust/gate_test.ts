import { assertEquals } from "@std/assert";
import { DATAGRAMS_PER_SECOND, SOURCES } from "../../core/limits.ts";
import { SourceGate } from "./gate.ts";

Deno.test("SourceGate lets each source have its share a second, whatever others send", () => {
  const gate = new SourceGate();
  let passed = 0;
  for (let sent = 0; sent < 20_000; sent++) if (gate.allow("203.0.113.9", 5)) passed++;
  assertEquals(passed, DATAGRAMS_PER_SECOND);
  assertEquals(gate.allow("127.0.0.1", 5), true);
  assertEquals(gate.allow("203.0.113.9", 1_004), false);
  assertEquals(gate.allow("203.0.113.9", 1_005), true);
});

Deno.test("SourceGate stays small whatever sources are invented", () => {
  const gate = new SourceGate();
  for (let source = 0; source < 3 * SOURCES; source++) gate.allow(`s${source}`, 0);
  assertEquals(gate.allow("operator", 0), true);
});
