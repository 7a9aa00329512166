import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ascii } from "./field_block.ts";
import { readProxyHeader } from "./proxy_protocol.ts";

function read(text: string | Uint8Array) {
  const bytes = typeof text === "string" ? ascii(text) : text;
  return readProxyHeader(bytes, bytes.length);
}

function version2(command: number, family: number, payload: number[], length = payload.length) {
  return Uint8Array.of(
    ...ascii("\r\n\r\n\0\r\nQUIT\n"),
    ...[0x20 | command, family, length >> 8, length & 255],
    ...payload,
  );
}

const IPV4 = [10, 1, 2, 3, 127, 0, 0, 1, 0x30, 0x39, 0, 80];

Deno.test("readProxyHeader() reads version 1", () => {
  const line = "PROXY TCP4 10.1.2.3 127.0.0.1 12345 80\r\n";
  assertEquals(read(`${line}GET /`), { kind: "header", client: "10.1.2.3", end: line.length });
  assertEquals(read("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), {
    kind: "header",
    client: "2001:db8::1",
    end: 32,
  });
  assertEquals(read("PROXY UNKNOWN\r\n"), { kind: "header", end: 15 });
  const bad = [
    "GET / HTTP/1.1\r\n\r\n",
    "PROXY TCP4 10.1.2.3 127.0.0.1 12345\r\n",
    "PROXY TCP4 10.1.2.3 127.0.0.1 12345 80 x\r\n",
    "PROXY TCP4 10.1.2.3 127.0.0.1 65536 80\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 10.1.2.3 127.0.0.1 1 2\r\n",
    "PROXY UDP4 10.1.2.3 127.0.0.1 1 2\r\n",
    `PROXY TCP4 ${"1".repeat(200)}`,
  ];
  for (const text of bad) assertEquals(read(text).kind, "bad", text);
});

Deno.test("readProxyHeader() reads version 2", () => {
  assertEquals(read(version2(1, 0x11, IPV4)), { kind: "header", client: "10.1.2.3", end: 28 });
  assertEquals(read(version2(1, 0x11, [...IPV4, 3, 0, 1, 9])).kind, "header");
  const ipv6 = [
    0x20,
    1,
    0xd,
    0xb8,
    ...new Array(11).fill(0),
    1,
    ...new Array(16).fill(0),
    0,
    1,
    0,
    2,
  ];
  assertEquals(read(version2(1, 0x21, ipv6)), {
    kind: "header",
    client: "2001:db8:0:0:0:0:0:1",
    end: 52,
  });
  assertEquals(read(version2(0, 0, [])), { kind: "header", end: 16 });
  assertEquals(read(version2(1, 0x11, IPV4.slice(0, 6))).kind, "bad");
  assertEquals(read(version2(1, 0x31, IPV4)).kind, "bad");
  assertEquals(read(version2(7, 0x11, IPV4)).kind, "bad");
  assertEquals(read(version2(1, 0x11, IPV4, 60_000)).kind, "bad");
});

Deno.test("readProxyHeader() waits for the rest, wherever it is cut, and never throws", () => {
  const whole = [version2(1, 0x11, IPV4), ascii("PROXY TCP4 10.1.2.3 127.0.0.1 12345 80\r\n")];
  for (const bytes of whole) {
    for (let end = 0; end < bytes.length; end++) {
      assertEquals(readProxyHeader(bytes, end), { kind: "more" }, `cut at ${end}`);
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    read(bytes);
    read(Uint8Array.of(...version2(1, 0x11, []).subarray(0, 12), ...bytes));
  }));
});
