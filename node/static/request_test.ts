import { assertEquals } from "@std/assert";
import {
  accepts,
  cacheControl,
  ifMatch,
  ifRange,
  mediaType,
  noneMatch,
  readRanges,
  segmentsOf,
  wantsPage,
} from "./request.ts";

Deno.test("segmentsOf() decodes, and refuses what climbs, hides or encodes a separator", () => {
  assertEquals(segmentsOf("/"), { segments: [], folder: true });
  assertEquals(segmentsOf("/a/b%20c"), { segments: ["a", "b c"], folder: false });
  assertEquals(segmentsOf("//a//b/"), { segments: ["a", "b"], folder: true });
  assertEquals(segmentsOf("/.well-known/x")?.segments, [".well-known", "x"]);
  const refused = [
    "/../etc/passwd",
    "/a/../../b",
    "/%2e%2e/x",
    "/a%2f..%2fb",
    "/a%5c..%5cb",
    "/a%00b",
    "/.git/config",
    "/.env",
    "/%zz",
    "/%ff",
    `/${"a".repeat(256)}`,
    `/${"a/".repeat(3_000)}`,
    `/${"a/".repeat(200)}`,
  ];
  for (const path of refused) assertEquals(segmentsOf(path), null, path);
});

Deno.test("readRanges() follows RFC 9110", () => {
  const one = (first: number, last: number) => [{ first, last }];
  const cases: [string | null, ReturnType<typeof readRanges>][] = [
    [null, null],
    ["bytes=0-9", one(0, 9)],
    ["bytes=90-", one(90, 99)],
    ["bytes=90-500", one(90, 99)],
    ["bytes=-10", one(90, 99)],
    ["bytes=-500", one(0, 99)],
    ["BYTES = 0-0", one(0, 0)],
    ["bytes=100-", []],
    ["bytes=-0", []],
    ["bytes=5-4", null],
    ["bytes=a-b", null],
    ["bytes=-", null],
    ["bytes=", null],
    ["lines=0-9", null],
    ["bytes=0-1,98-", [{ first: 0, last: 1 }, { first: 98, last: 99 }]],
    ["bytes=50-60, 0-1", [{ first: 0, last: 1 }, { first: 50, last: 60 }]],
    ["bytes=0-10,5-20,21-30", one(0, 30)],
    ["bytes=0-1,200-", one(0, 1)],
    [`bytes=${Array(17).fill("0-1").join(",")}`, null],
  ];
  for (const [header, expected] of cases) {
    assertEquals(readRanges(header, 100), expected, String(header));
  }
  assertEquals(readRanges("bytes=0-", 0), []);
});

Deno.test("accepts() weighs codings", () => {
  assertEquals(accepts("gzip, br", "br"), true);
  assertEquals(accepts("gzip;q=0, *", "gzip"), false);
  assertEquals(accepts("*;q=0.1", "br"), true);
  assertEquals(accepts("br;q=0", "br"), false);
  assertEquals(accepts("x-gzip", "gzip"), true);
  assertEquals(accepts(null, "br"), false);
});

Deno.test("conditions compare tags as they should", () => {
  assertEquals(noneMatch('W/"a", "b"', '"a"'), true);
  assertEquals(noneMatch("*", '"a"'), true);
  assertEquals(noneMatch('"c"', '"a"'), false);
  assertEquals(noneMatch(null, '"a"'), false);
  assertEquals(ifMatch('W/"a"', '"a"'), false);
  assertEquals(ifMatch('"b", "a"', '"a"'), true);
  assertEquals(ifMatch(null, '"a"'), true);
  assertEquals(ifRange('"a"', '"a"', null), true);
  assertEquals(ifRange('W/"a"', '"a"', null), false);
  assertEquals(
    ifRange("Thu, 01 Jan 1970 00:00:00 GMT", '"a"', "Thu, 01 Jan 1970 00:00:00 GMT"),
    true,
  );
  assertEquals(ifRange(null, '"a"', null), true);
});

Deno.test("names decide about type and caching, paths about the start page", () => {
  assertEquals(mediaType("x/a.HTML"), "text/html; charset=utf-8");
  assertEquals(mediaType("x/constructor"), "application/octet-stream");
  assertEquals(mediaType("a.constructor"), "application/octet-stream");
  const forever = "public, max-age=31536000, immutable";
  assertEquals(cacheControl("main-3FA9C1D2.js"), forever);
  assertEquals(cacheControl("app.5f2c81aa.css"), forever);
  assertEquals(cacheControl("jquery-extension.js"), "public, max-age=60");
  assertEquals(cacheControl("photo-20240101.jpg"), "public, max-age=60");
  assertEquals(cacheControl("index.html"), "no-cache");
  assertEquals(wantsPage(["orders", "7"], "*/*"), true);
  assertEquals(wantsPage(["user", "j.doe"], "text/html,*/*;q=0.8"), true);
  assertEquals(wantsPage(["main.js"], "*/*"), false);
  assertEquals(wantsPage(["api"], "application/json"), false);
});
