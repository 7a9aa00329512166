import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ChunkedBody, LAST_CHUNK, writeSize } from "./chunked.ts";
import { ascii, BAD, DONE, latin1, MORE } from "./field_block.ts";

const chunk = fc.tuple(
  fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }),
  fc.constantFrom("", ";a", ";a=b", ' ; a = "b;\\"c"'),
  fc.nat(3),
);

/** Feeds `text` cut at `cuts`; returns what is passed on and the tail. */
function passOn(text: string, cuts: readonly number[], bare: boolean): [string, string] {
  const bytes = ascii(text);
  const body = new ChunkedBody();
  body.restart(bare);
  const ends = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
  let out = "";
  let at = 0;
  for (const end of [...ends, bytes.length]) {
    const from = at;
    const progress = body.feed(bytes, from, end);
    if (progress === BAD) throw new Error(body.reason);
    out += latin1(body.lead, 0, body.leadLength) + latin1(bytes, from, body.outEnd);
    at = body.at;
    if (progress === DONE) return [out, latin1(body.tail, 0, body.tail.length)];
  }
  throw new Error("it did not end");
}

Deno.test("ChunkedBody passes on all content, canonical or bare, however it is cut", () => {
  fc.assert(
    fc.property(fc.array(chunk), fc.array(fc.nat(), { maxLength: 12 }), (chunks, cuts) => {
      let text = "";
      let canonical = "";
      for (const [data, extension, zeros] of chunks) {
        const size = data.length.toString(16);
        text += `${"0".repeat(zeros)}${size.toUpperCase()}${extension}\r\n${data}\r\n`;
        canonical += `${size}\r\n${data}\r\n`;
      }
      text += "0\r\n\r\n";
      const content = chunks.map(([data]) => data).join("");
      // Cuts within data do not split chunks: the size stands first, whole.
      assertEquals(passOn(text, cuts, false), [canonical, "0\r\n\r\n"]);
      assertEquals(passOn(text, cuts, true), [content, ""]);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("ChunkedBody passes on trailers but for those that mean something else there", () => {
  const text = "0\r\nX-Sum: 1\r\nVary: *\r\nSet-Cookie: a=b\r\nX-More: 2\r\n\r\n";
  for (const cuts of [[], [4], [1, 2, 3, 20, 30]]) {
    assertEquals(passOn(text, cuts, false)[1], "0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n");
  }
});

Deno.test("ChunkedBody says when only the trailers are missing", () => {
  const body = new ChunkedBody();
  body.restart(false);
  const bytes = ascii("3\r\nabc\r\n0\r\n");
  assertEquals(body.feed(bytes, 0, bytes.length), MORE);
  assertEquals([body.inTrailers, body.contentBytes], [true, 3]);
});

Deno.test("writeSize() writes any size in hexadecimal", () => {
  for (const size of [1, 15, 16, 255, 65_536, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const bytes = new Uint8Array(20);
    assertEquals(latin1(bytes, 0, writeSize(bytes, 0, size)), `${size.toString(16)}\r\n`);
  }
  assertEquals(latin1(LAST_CHUNK, 0, LAST_CHUNK.length), "0\r\n\r\n");
});
