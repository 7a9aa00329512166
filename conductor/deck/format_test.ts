import { assertEquals } from "@std/assert";
import { around, count, ending, short, size, span, took } from "./format.ts";

Deno.test("span() says a time in its largest unit", () => {
  const said = [0, 999, 1_000, 59_000, 60_000, 7_200_000, 3 * 86_400_000].map(span);
  assertEquals(said, ["0 ms", "999 ms", "1 s", "59 s", "1 min", "2 h", "3 d"]);
});

Deno.test("size() says bytes in binary units", () => {
  assertEquals([0, 999, 1_536, 22 * 2 ** 30].map(size), ["0 B", "999 B", "1.5 KiB", "22 GiB"]);
});

Deno.test("short() leaves out digits that say nothing", () => {
  assertEquals([0, 0.44, 9.96, 12.3, 1_234, 45_678].map(short), [
    ...["0", "0.4", "10.0", "12", "1.2k", "46k"],
  ]);
});

Deno.test("ending() says how a process ended", () => {
  assertEquals(ending({ why: "exit", code: 3, wallMs: 0 }), "exit code 3");
  assertEquals(ending({ why: "oom", signal: "SIGKILL", wallMs: 0 }), "oom, SIGKILL");
});

Deno.test("count() says how many there were", () => {
  assertEquals([0, 7, 999, 1_234, 45_678].map(count), ["0", "7", "999", "1.2k", "46k"]);
});

Deno.test("took() says a duration with as many digits as say something", () => {
  assertEquals([0, 0.44, 3, 9.96, 12.3, 999, 1_234, 75_000].map(took), [
    ...["0 ms", "0.4 ms", "3 ms", "10 ms", "12 ms", "999 ms", "1.2 s", "75.0 s"],
  ]);
});

Deno.test("around() finds a name in a line of the audit, which is not told twice", () => {
  const line = "operator ann from 127.0.0.1: applied ann-svc";
  assertEquals(around(line, "ann"), ["operator ", " from 127.0.0.1: applied ann-svc"]);
  assertEquals(around("took office", "ann"), ["", " took office"]);
});
