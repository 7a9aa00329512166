import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ascii } from "./field_block.ts";
import { authorityHostEnd, isIpv6, normalPath } from "./target.ts";

function hostEnd(text: string): number {
  return authorityHostEnd(ascii(text), 0, text.length);
}

Deno.test("authorityHostEnd() tells where the host ends, or -1", () => {
  assertEquals(hostEnd("a.test"), 6);
  assertEquals(hostEnd("a.test:80"), 6);
  assertEquals(hostEnd("a.test:"), 6);
  assertEquals(hostEnd("[::1]:80"), 5);
  assertEquals(hostEnd("a.test."), 7);
  for (const wrong of ["", ":80", "a:b", "a:80:80", "a:65536", "a:000080", "[::1", "::1", "a b"]) {
    assertEquals(hostEnd(wrong), -1, wrong);
  }
});

Deno.test("isIpv6() agrees with the addresses that it is given in full", () => {
  const group = fc.integer({ min: 0, max: 0xffff }).map((word) => word.toString(16));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), fc.nat(7), (groups, cut) => {
      const full = groups.join(":");
      assertEquals(isIpv6(ascii(full), 0, full.length), true);
      const shortened = `${groups.slice(0, cut).join(":")}::${groups.slice(cut + 1).join(":")}`;
      assertEquals(isIpv6(ascii(shortened), 0, shortened.length), true, shortened);
      const long = `${full}:1`;
      assertEquals(isIpv6(ascii(long), 0, long.length), false);
    }),
  );
});

Deno.test("normalPath() removes dot segments and decodes what needs no escape", () => {
  assertEquals(normalPath("/a/./b/../c"), "/a/c");
  assertEquals(normalPath("/a/b/.."), "/a/");
  assertEquals(normalPath("/a/."), "/a/");
  assertEquals(normalPath("/../a"), "/a");
  assertEquals(normalPath("/%7euser/%2e%2e/x%2Fy%2fz"), "/x%2Fy%2Fz");
  assertEquals(normalPath("//a"), "//a");
  fc.assert(fc.property(fc.array(fc.constantFrom("a", ".", "..", "%2e", "%41", "")), (parts) => {
    const once = normalPath(`/${parts.join("/")}`);
    assertEquals(normalPath(once), once);
  }));
});
