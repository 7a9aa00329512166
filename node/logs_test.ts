import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { LOG_LINE_BYTES } from "../core/limits.ts";
import { LogRing } from "./logs.ts";

Deno.test("LogRing gives the same lines however the text is cut", () => {
  fc.assert(fc.property(fc.array(fc.string({ maxLength: 12 })), (pieces) => {
    const whole = new LogRing();
    whole.feed(pieces.join(""), 1);
    const cut = new LogRing();
    for (const piece of pieces) cut.feed(piece, 1);
    assertEquals(cut.last(1_000), whole.last(1_000));
  }));
});

Deno.test("LogRing keeps the newest lines", () => {
  const ring = new LogRing(3);
  for (let line = 1; line <= 10; line++) ring.feed(`line ${line}\n`, line);
  assertEquals(ring.last(10).map((each) => each.line), ["line 8", "line 9", "line 10"]);
  assertEquals(ring.last(1).map((each) => [each.line, each.at, each.number]), [["line 10", 10, 9]]);
  assertEquals(ring.last(0), []);
});

Deno.test("LogRing keeps an unfinished line back until it ends, and cuts one without end", () => {
  const ring = new LogRing();
  assertEquals(ring.feed("half", 1), []);
  assertEquals(ring.feed(" whole\r\n", 2).map((each) => each.line), ["half whole"]);
  assertEquals(ring.feed("last words", 3), []);
  assertEquals(ring.flush(4).map((each) => each.line), ["last words"]);
  const long = ring.feed("x".repeat(LOG_LINE_BYTES + 1), 5);
  assertEquals(long.map((each) => each.line.length), [LOG_LINE_BYTES]);
});
