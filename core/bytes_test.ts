import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { base64ToText, fromHex, sha256Hex, textToBase64, toBytes, toText } from "./bytes.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function reference(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** Bytes that look like UTF-8 more often than chance would have it. */
const nearly = fc.array(
  fc.oneof(
    fc.constantFrom(
      ...[0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0],
      ...[0xe1, 0xed, 0xee, 0xef, 0xbb, 0xf0, 0xf1, 0xf4, 0xf5, 0xff],
    ),
    fc.nat(255),
  ),
  { maxLength: 12 },
).map((bytes) => Uint8Array.from(bytes));

Deno.test("toText() agrees with TextDecoder on any bytes", () => {
  const same = (bytes: Uint8Array) => assertEquals(toText(bytes), reference(bytes));
  fc.assert(fc.property(nearly, same), { numRuns: 50_000 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), same), { numRuns: 2_000 });
});

Deno.test("text goes through UTF-8 and base64 and back", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertEquals(toText(toBytes(text)), text);
    assertEquals(base64ToText(textToBase64(text)), text);
  }));
});

Deno.test("base64ToText() and fromHex() give null for what is none", () => {
  for (const text of ["=", "a", "a===", "ä", "YQ=a", "/w=="]) {
    assertEquals(base64ToText(text), null);
  }
  for (const text of ["a", "0g", " 00", "0x00"]) assertEquals(fromHex(text), null);
  assertEquals(fromHex("00fF"), new Uint8Array([0, 255]));
});

Deno.test("sha256Hex() of text and of its bytes is FIPS 180-4's", () => {
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assertEquals(sha256Hex("abc"), abc);
  assertEquals(sha256Hex(new Uint8Array([97, 98, 99])), abc);
});
