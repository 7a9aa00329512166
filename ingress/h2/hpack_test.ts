import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CompressionError, Decoder, encodeFields, type Field } from "./hpack.ts";
import { decodeHuffman } from "./huffman.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex.replaceAll(" ", ""));
const huffman = (hex: string) => decodeHuffman(bytes(hex), 0, bytes(hex).length);

Deno.test("decodeHuffman() reads the examples of RFC 7541", () => {
  assertEquals(huffman("f1e3 c2e5 f23a 6ba0 ab90 f4ff"), "www.example.com");
  assertEquals(huffman("a8eb 1064 9cbf"), "no-cache");
  assertEquals(huffman("25a8 49e9 5ba9 7d7f"), "custom-key");
  assertEquals(huffman("25a8 49e9 5bb8 e8b4 bf"), "custom-value");
  assertEquals(
    huffman("d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff"),
    "Mon, 21 Oct 2013 20:13:21 GMT",
  );
  assertEquals(huffman("9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3"), "https://www.example.com");
  assertEquals(
    huffman(
      "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 " +
        "03ed 4ee5 b106 3d50 07",
    ),
    "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  );
  assertEquals(huffman(""), "");
});

Deno.test("decodeHuffman() takes no padding but the beginning of the end's code, up to 7 bits", () => {
  assertEquals(huffman("1f"), "a");
  assertEquals(huffman("1e"), null, "a zero in the padding");
  assertEquals(huffman("1fff"), null, "more than 7 bits of it");
  assertEquals(huffman("ff"), null);
  assertEquals(huffman("ffff ffff"), null, "the end itself");
  assertEquals(huffman("1fff ffff fc"), null, "the end behind a letter");
});

function decodeAll(...blocks: string[]): (readonly Field[])[] {
  const decoder = new Decoder();
  return blocks.map((block) => decoder.decode(bytes(block), 1e6).fields);
}

Deno.test("Decoder reads the requests of RFC 7541 C.3 and C.4, its table kept up", () => {
  const wanted: Field[][] = [
    [[":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", "www.example.com"]],
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "www.example.com"],
      ["cache-control", "no-cache"],
    ],
    [
      [":method", "GET"],
      [":scheme", "https"],
      [":path", "/index.html"],
      [":authority", "www.example.com"],
      ["custom-key", "custom-value"],
    ],
  ];
  assertEquals(
    decodeAll(
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ),
    wanted,
  );
  assertEquals(
    decodeAll(
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ),
    wanted,
  );
});

for (
  const [what, block] of [
    ["index 0", "80"],
    ["an index beyond both tables", "be"],
    ["a name's index beyond both tables", "7f 00 01 61"],
    ["an integer without end", "ff ff ff ff ff ff ff ff"],
    ["an integer cut short", "ff"],
    ["an index far beyond", "ff 80 80 80 80 0f"],
    ["a text cut short", "40 01 61 05 61"],
    ["no text at all", "40"],
    ["a value that is missing", "00 01 61"],
    ["a table larger than allowed", "3f e2 1f"],
    ["a table's size behind a field", "82 20"],
    ["a bad code in a name", "40 81 ff 01 61"],
    ["a bad code in a value", "40 01 61 81 1e"],
  ] as const
) {
  Deno.test(`Decoder refuses ${what}`, () => {
    assertThrows(() => decodeAll(block), CompressionError);
  });
}

Deno.test("Decoder evicts the oldest entries, and all when the table shrinks to nothing", () => {
  const decoder = new Decoder();
  const add = (name: string, value: string) => {
    const text = (each: string) => [each.length, ...new TextEncoder().encode(each)];
    return decoder.decode(Uint8Array.of(0x40, ...text(name), ...text(value)), 1e6).fields[0];
  };
  // 32 and 2 and 64 bytes: 41 entries are kept of 4,096 bytes.
  for (let count = 0; count < 200; count++) add(`a${count % 10}`, "x".repeat(64));
  const last = decoder.decode(Uint8Array.of(0x80 | 62), 1e6).fields[0];
  assertEquals(last, ["a9", "x".repeat(64)]);
  assertEquals(decoder.decode(Uint8Array.of(0x80 | (62 + 40)), 1e6).fields[0]![0], "a9");
  assertThrows(() => decoder.decode(Uint8Array.of(0x80 | (62 + 41)), 1e6), CompressionError);
  decoder.decode(Uint8Array.of(0x20), 1e6);
  assertThrows(() => decoder.decode(Uint8Array.of(0x80 | 62), 1e6), CompressionError);
  decoder.decode(bytes("3f e1 1f"), 1e6);
  assertEquals(add("b", "c"), ["b", "c"]);
  assertEquals(decoder.decode(Uint8Array.of(0x80 | 62), 1e6).fields[0], ["b", "c"]);
});

Deno.test("Decoder leaves out what is beyond the limit, but goes on decoding", () => {
  const decoder = new Decoder();
  const fields: Field[] = [["a", "x".repeat(100)], ["b", "y".repeat(100)]];
  const { fields: got, size } = decoder.decode(encodeFields(fields), 200);
  assertEquals(got.length, 1);
  assertEquals(size, 2 * 133);
});

Deno.test("what encodeFields() writes a Decoder reads, whatever it is", () => {
  const latin = fc.string({ unit: "binary-ascii", maxLength: 300 });
  const field = fc.oneof(
    fc.tuple(latin, latin),
    fc.constantFrom<Field>([":method", "GET"], [":status", "404"], ["cookie", "a=b"]),
  );
  fc.assert(fc.property(fc.array(field, { maxLength: 30 }), (fields) => {
    const decoder = new Decoder();
    for (let time = 0; time < 2; time++) {
      assertEquals(decoder.decode(encodeFields(fields), 1e9).fields, fields);
    }
  }));
});

Deno.test("Decoder says of any bytes what they mean, or that they mean nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }), (blocks) => {
      const decoder = new Decoder();
      for (const block of blocks) {
        try {
          const { fields, size } = decoder.decode(block, 500);
          assert(size >= fields.length * 32);
        } catch (error) {
          if (!(error instanceof CompressionError)) throw error;
          return;
        }
      }
    }),
    { numRuns: 3_000 },
  );
});
