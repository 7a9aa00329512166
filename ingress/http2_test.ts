import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ascii, DONE, latin1 } from "./field_block.ts";
import { type Field } from "./h2/hpack.ts";
import { malformedFields } from "./h2/rules.ts";
import { RequestHead, ResponseHead } from "./http1.ts";
import {
  chunkedTail,
  http1Request,
  http1Response,
  http2Request,
  http2Response,
  trailerFields,
} from "./http2.ts";

const BASE: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/a?b"],
  [":authority", "a.test"],
];
const text = (bytes: Uint8Array) => latin1(bytes, 0, bytes.length);

Deno.test("http1Request() writes a head that says the same", () => {
  const fields: Field[] = [
    ...BASE,
    ["cookie", "a=1"],
    ["x-a", "b"],
    ["cookie", "c=2"],
    ["te", "trailers"],
    ["x-a", "c"],
  ];
  const request = http1Request(fields, true);
  assertEquals(
    text(request.head),
    "GET /a?b HTTP/1.1\r\nHost: a.test\r\nx-a: b\r\nte: trailers\r\nx-a: c\r\n" +
      "cookie: a=1; c=2\r\nConnection: close\r\n\r\n",
  );
  assertEquals([request.length, request.toHead, request.expects], [0, false, false]);
  const post = http1Request([...BASE, ["content-length", "3"], ["expect", "100-continue"]], false);
  assertEquals([post.length, post.expects], [3, true]);
  assert(text(post.head).includes("\r\nContent-Length: 3\r\n"));
  const open = http1Request(BASE, false);
  assertEquals(open.length, null);
  assert(text(open.head).includes("\r\nTransfer-Encoding: chunked\r\n"));
});

Deno.test("http1Request() never lets a list become more than one request", () => {
  const wild = fc.string({ unit: "binary-ascii", maxLength: 20 });
  const field = fc.tuple(
    fc.oneof(wild, fc.constantFrom(":path", ":method", ":authority", "host", "content-length")),
    fc.oneof(wild, fc.constantFrom("/\r\n\r\nGET /b HTTP/1.1", "GET", "0", "a.test")),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 6 }), fc.boolean(), (more, end) => {
      const fields: Field[] = [...BASE.slice(0, more.length % 5), ...more];
      if (malformedFields(fields, "request") !== null) return;
      const { head } = http1Request(fields, end);
      const parser = new RequestHead();
      parser.restart(0);
      if (parser.parse(head, head.length) === DONE) assertEquals(parser.at, head.length);
    }),
    { numRuns: 5_000 },
  );
});

function responseFields(head: string): Field[] {
  const bytes = ascii(head);
  const parser = new ResponseHead();
  parser.restart(0);
  assertEquals(parser.parse(bytes, bytes.length, false), DONE);
  return http2Response(bytes, parser);
}

Deno.test("http2Response() leaves out what belongs to the connection", () => {
  assertEquals(
    responseFields(
      "HTTP/1.1 200 OK\r\nConnection: close, x\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\n" +
        "Set-Cookie: a\r\nSet-Cookie: b\r\nX-Caf\u00c9: \xe9\r\n\r\n".replace("\u00c9", "e"),
    ),
    [[":status", "200"], ["set-cookie", "a"], ["set-cookie", "b"], ["x-cafe", "\xe9"]],
  );
});

Deno.test("http2Request() and http1Response() are the way to a replica that speaks HTTP/2", () => {
  const bytes = ascii(
    "POST /pkg.Service/Do HTTP/1.1\r\nHost: a.test:8443\r\nContent-Type: application/grpc\r\n" +
      "X-Request-Id: 7\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const head = new RequestHead();
  head.restart(0);
  assertEquals(head.parse(bytes, bytes.length), DONE);
  const fields = http2Request(bytes, head, "http");
  assertEquals(fields, [
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "a.test:8443"],
    [":path", "/pkg.Service/Do"],
    ["content-type", "application/grpc"],
    ["x-request-id", "7"],
    ["te", "trailers"],
  ]);
  assertEquals(malformedFields(fields, "request"), null);
  const open = http1Response([[":status", "200"], ["x-a", "b"]], false);
  assertEquals(open.chunked, true);
  assertEquals(
    text(open.head),
    "HTTP/1.1 200 \r\nx-a: b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
  );
  const ended = http1Response([[":status", "200"], ["grpc-status", "5"]], true);
  assertEquals(ended.chunked, false);
  assert(text(ended.head).includes("\r\nContent-Length: 0\r\n"));
  const interim = http1Response([[":status", "103"], ["link", "x"]], false);
  assertEquals(text(interim.head), "HTTP/1.1 103 \r\nlink: x\r\n\r\n");
});

Deno.test("trailers go both ways", () => {
  const fields: Field[] = [["x-sum", "1"], ["grpc-message", "a: b"]];
  assertEquals(text(chunkedTail(fields)), "0\r\nx-sum: 1\r\ngrpc-message: a: b\r\n\r\n");
  assertEquals(trailerFields(chunkedTail(fields)), fields);
  assertEquals(trailerFields(ascii("0\r\n\r\n")), []);
});
