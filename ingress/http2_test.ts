import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ascii, DONE, latin1 } from "./field_block.ts";
import { chunkedTail, type HeaderList, http1Request, http2Response, trailerList } from "./http2.ts";
import { CHUNKED, RequestHead, ResponseHead } from "./http1.ts";

const GET: HeaderList = {
  ":method": "GET",
  ":scheme": "https",
  ":authority": "a.test",
  ":path": "/a?b",
};

function textOf(list: HeaderList, endStream = true): string {
  const request = http1Request(list, endStream);
  return request.kind === "request" ? latin1(request.head, 0, request.head.length) : request.reason;
}

Deno.test("http1Request() writes a head that says the same", () => {
  assertEquals(
    textOf({ ...GET, accept: "*/*", cookie: ["a=1", "b=2"], "x-list": ["1", "2"], te: "trailers" }),
    "GET /a?b HTTP/1.1\r\nHost: a.test\r\naccept: */*\r\ncookie: a=1; b=2\r\nx-list: 1\r\n" +
      "x-list: 2\r\nte: trailers\r\nConnection: close\r\n\r\n",
  );
  assert(textOf({ ...GET, ":method": "POST" }, false).includes("Transfer-Encoding: chunked"));
  assert(textOf({ ...GET, "content-length": "3" }, false).includes("Content-Length: 3"));
  assert(!textOf(GET).includes("Content-Length"));
});

Deno.test("http1Request() takes no list that RFC 9113 calls malformed", () => {
  const bad: [HeaderList, boolean][] = [
    [{ ...GET, ":method": undefined }, true],
    [{ ...GET, ":method": "GET / HTTP/1.1\r\nX: y" }, true],
    [{ ...GET, ":path": undefined }, true],
    [{ ...GET, ":path": "" }, true],
    [{ ...GET, ":path": "a" }, true],
    [{ ...GET, ":path": "/a b" }, true],
    [{ ...GET, ":path": "/ HTTP/1.1\r\nX: y" }, true],
    [{ ...GET, ":scheme": "ftp" }, true],
    [{ ...GET, ":authority": undefined }, true],
    [{ ...GET, ":authority": "a\r\nX: y" }, true],
    [{ ...GET, ":unknown": "1" }, true],
    [{ ...GET, host: "b.test" }, true],
    [{ ...GET, connection: "close" }, true],
    [{ ...GET, "transfer-encoding": "chunked" }, true],
    [{ ...GET, upgrade: "websocket" }, true],
    [{ ...GET, te: "gzip" }, true],
    [{ ...GET, "X-Upper": "1" }, true],
    [{ ...GET, "x a": "1" }, true],
    [{ ...GET, "": "1" }, true],
    [{ ...GET, "x-a": "1\r\nX: y" }, true],
    [{ ...GET, "x-a": "1\0" }, true],
    [{ ...GET, "x-a": " 1" }, true],
    [{ ...GET, "content-length": "3" }, true],
    [{ ...GET, "content-length": "-3" }, false],
    [{ ...GET, "content-length": ["3", "3"] }, false],
  ];
  for (const [list, endStream] of bad) {
    assertEquals(http1Request(list, endStream).kind, "malformed", JSON.stringify(list));
  }
});

Deno.test("http1Request() never lets a list become more than one request", () => {
  const anything = fc.string({ unit: "binary" });
  const list = fc.dictionary(
    fc.oneof(fc.constantFrom(...Object.keys(GET), "host", "cookie"), anything),
    anything,
  );
  fc.assert(
    fc.property(list, fc.boolean(), (more, endStream) => {
      const request = http1Request({ ...GET, ...more }, endStream);
      if (request.kind === "malformed") return;
      const head = new RequestHead();
      head.restart(0);
      const progress = head.parse(request.head, request.head.length);
      if (progress !== DONE) return;
      assertEquals(head.at, request.head.length);
      assertEquals(head.keepAlive, false);
      assertEquals(head.framing === CHUNKED, request.length === null);
      assertEquals(head.length, request.length ?? 0);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("http2Response() leaves out what belongs to the connection", () => {
  const bytes = ascii(
    "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n" +
      "Connection: close\r\nKeep-Alive: x\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const head = new ResponseHead();
  head.restart(0);
  assertEquals(head.parse(bytes, bytes.length, false), DONE);
  assertEquals(http2Response(bytes, head), {
    ":status": "200",
    "content-type": "a/b",
    "set-cookie": ["a", "b"],
  });
});

Deno.test("trailers go both ways", () => {
  const tail = chunkedTail({ "x-sum": "7", "x-bad": "a\r\nb", ":status": "200" });
  assertEquals(latin1(tail, 0, tail.length), "0\r\nx-sum: 7\r\n\r\n");
  assertEquals(trailerList(tail), { "x-sum": "7" });
  assertEquals(trailerList(ascii("0\r\n\r\n")), {});
});
