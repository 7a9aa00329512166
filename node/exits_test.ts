import { assertEquals } from "@std/assert";
import { decodeExit } from "./exits.ts";

Deno.test("decodeExit() tells codes from signals", () => {
  assertEquals(decodeExit(0), { code: 0 });
  assertEquals(decodeExit(1), { code: 1 });
  assertEquals(decodeExit(128), { code: 128 });
  assertEquals(decodeExit(137), { signal: "SIGKILL" });
  assertEquals(decodeExit(143), { signal: "SIGTERM" });
  assertEquals(decodeExit(139), { signal: "SIGSEGV" });
  assertEquals(decodeExit(255), { code: 255 });
  assertEquals(decodeExit(138, "darwin"), { signal: "SIGBUS" });
});
