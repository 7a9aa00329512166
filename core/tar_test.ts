import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { readTarHead, staysWithin, TAR_BLOCK, type TarEntry, tarHead, textOf } from "./tar.ts";

function read(head: Uint8Array): unknown {
  let name: string | undefined;
  let target: string | undefined;
  for (let at = 0; at < head.length;) {
    const found = readTarHead(head.subarray(at, at + TAR_BLOCK), name, target);
    at += TAR_BLOCK;
    if (found.at === "name") name = textOf(head.subarray(at, at + found.bytes))!;
    else if (found.at === "target") target = textOf(head.subarray(at, at + found.bytes))!;
    else return found.at === "entry" ? found.entry : found;
    at += Math.ceil(found.bytes / TAR_BLOCK) * TAR_BLOCK;
  }
  return null;
}

const part = fc.string({ minLength: 1, maxLength: 60, unit: "binary" }).filter((text) =>
  !/[/\0\ud800-\udfff]/.test(text) && text !== "." && text !== ".."
);
const path = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/"));

Deno.test("readTarHead() reads what tarHead() writes", () => {
  const entry: fc.Arbitrary<TarEntry> = fc.oneof(
    fc.record({
      kind: fc.constant("file" as const),
      path,
      bytes: fc.nat({ max: 2 ** 31 }),
      executable: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("folder" as const), path }),
    fc.record({ kind: fc.constant("link" as const), path, target: path }),
  );
  fc.assert(fc.property(entry, (each) => assertEquals(read(tarHead(each)), each)));
});

Deno.test("readTarHead() takes no bytes for a head that are none", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: TAR_BLOCK, maxLength: TAR_BLOCK }), (bytes) => {
    const { at } = readTarHead(bytes);
    assertEquals(at, bytes.every((byte) => byte === 0) ? "end" : "bad");
  }));
});

Deno.test("nothing of an archive leads out of its folder", () => {
  for (const path of ["../x", "/etc/passwd", "a/../../b", "a//b", "./a"]) {
    const found = read(tarHead({ kind: "file", path, bytes: 0, executable: false }));
    assertMatch(JSON.stringify(found), /does not stay within/, path);
  }
  const link = (path: string, target: string) => read(tarHead({ kind: "link", path, target }));
  assertMatch(JSON.stringify(link("a", "../x")), /leads out/);
  assertMatch(JSON.stringify(link("a/b", "/etc/passwd")), /leads out/);
  assertEquals(staysWithin("a/b", "../c"), true);
  assertEquals(staysWithin("a/b", "x/../c"), false);
  assertEquals(staysWithin("a/b", "../../c"), false);
});
