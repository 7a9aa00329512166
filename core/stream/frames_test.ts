import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  creditContent,
  creditOf,
  exitContent,
  exitOf,
  formatFrame,
  type FrameKind,
  FRAMES,
  parseFrame,
  sizeContent,
  sizeOf,
} from "./frames.ts";

const kinds = fc.constantFrom(...Object.keys(FRAMES) as FrameKind[]);

Deno.test("parseFrame() reads what formatFrame() wrote", () => {
  fc.assert(
    fc.property(kinds, fc.nat(2 ** 32 - 1), fc.uint8Array(), (kind, channel, content) => {
      const { code, body } = formatFrame(kind, channel, content);
      assertEquals(parseFrame(code, body), { kind, channel, content });
    }),
  );
});

Deno.test("parseFrame() and its readers take any bytes", () => {
  fc.assert(fc.property(fc.nat(255), fc.uint8Array(), (code, body) => {
    const frame = parseFrame(code, body);
    if (!frame) return;
    creditOf(frame);
    sizeOf(frame);
    exitOf(frame);
  }));
});

Deno.test("the contents of frames are read as they were written", () => {
  const frame = (content: Uint8Array) => ({ kind: "data", channel: 0, content }) as const;
  assertEquals(creditOf(frame(creditContent(262_144))), 262_144);
  assertEquals(sizeOf(frame(sizeContent({ columns: 97, rows: 33 }))), { columns: 97, rows: 33 });
  assertEquals(sizeOf(frame(sizeContent({ columns: 0, rows: 33 }))), null);
  assertEquals(exitOf(frame(exitContent({ code: 143 }))), { code: 143 });
  const long = exitOf(frame(exitContent({ code: 1, error: "x".repeat(5_000) })));
  assertEquals(long?.error?.length, 2_000);
});
