import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ChunkedBody } from "./chunked.ts";
import { ascii, BAD, DONE, latin1, MORE } from "./field_block.ts";
import { BY_LENGTH, CHUNKED, NO_BODY, RequestHead, ResponseHead, UNTIL_CLOSE } from "./http1.ts";
import { REQUEST_CASES, RESPONSE_CASES } from "./http1_cases.ts";

const runs = Number(Deno.env.get("FUZZ_RUNS") ?? 3_000);

function requestOf(text: string): { head: RequestHead; progress: number } {
  const head = new RequestHead();
  head.restart(0);
  const bytes = ascii(text);
  return { head, progress: head.parse(bytes, bytes.length) };
}

function responseOf(text: string, toHead = false): { head: ResponseHead; progress: number } {
  const head = new ResponseHead();
  head.restart(0);
  const bytes = ascii(text);
  return { head, progress: head.parse(bytes, bytes.length, toHead) };
}

/** Everything a reader concludes from a stream that arrives up to each of `ends`. */
function readRequests(bytes: Uint8Array, ends: readonly number[]): string[] {
  const said: string[] = [];
  const head = new RequestHead();
  head.restart(0);
  // A copy, because chunked bodies are made canonical in place.
  const copy = bytes.slice();
  let body: ChunkedBody | null = null;
  let content = "";
  let left = 0;
  let at = 0;
  for (const end of ends) {
    for (;;) {
      if (body !== null) {
        const from = at;
        const progress = body.feed(copy, from, end);
        if (progress === BAD) return [...said, `bad body ${body.reason}`];
        content += latin1(body.lead, 0, body.leadLength) + latin1(copy, from, body.outEnd);
        at = body.at;
        if (progress === MORE) break;
        said.push(`chunks ${unchunked(content)} ${latin1(body.tail, 0, body.tail.length)}`);
        body = null;
        head.restart(at);
        continue;
      }
      if (left > 0) {
        const take = Math.min(left, end - at);
        at += take;
        left -= take;
        if (left > 0) break;
        said.push("content");
        head.restart(at);
        continue;
      }
      const progress = head.parse(copy, end);
      if (progress === BAD) return [...said, `bad ${head.status} ${head.reason}`];
      if (progress === MORE) break;
      at = head.at;
      said.push(describe(head, copy));
      content = "";
      if (head.framing === BY_LENGTH) left = head.length;
      else if (head.framing === CHUNKED) {
        body = new ChunkedBody();
        body.restart(false);
      } else head.restart(at);
    }
  }
  return said;
}

/** Content of canonical chunks: how it was cut does not matter. */
function unchunked(text: string): string {
  let content = "";
  for (let at = 0; at < text.length;) {
    const line = text.indexOf("\r\n", at);
    assert(line > 0, `no size line at ${at} of ${JSON.stringify(text)}`);
    assert(/^[1-9a-f][0-9a-f]*$/.test(text.slice(at, line)), "a size that is not canonical");
    const size = parseInt(text.slice(at, line), 16);
    content += text.slice(line + 2, line + 2 + size);
    assertEquals(text.slice(line + 2 + size, line + 4 + size), "\r\n");
    at = line + 4 + size;
  }
  return content;
}

function describe(head: RequestHead, bytes: Uint8Array): string {
  return JSON.stringify([
    head.method,
    latin1(bytes, head.pathStart, head.targetEnd),
    head.hostStart < 0 ? null : latin1(bytes, head.hostStart, head.authorityEnd),
    head.framing,
    head.length,
    head.keepAlive,
    head.upgrade,
    head.expects,
    head.nominates,
    head.fieldCount,
    [...head.fields.subarray(0, head.fieldCount * 6)],
  ]);
}

const streams = fc.oneof(
  fc.constantFrom(...REQUEST_CASES.map((each) => ascii(each.text))),
  fc.uint8Array({ maxLength: 300 }),
);

/** A known stream with some bytes changed, dropped or doubled. */
const mutated = fc.tuple(
  streams,
  fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(2)), { maxLength: 4 }),
).map(([bytes, changes]) => {
  const list = [...bytes.subarray(0, 2_000)];
  for (const [where, byte, kind] of changes) {
    if (list.length === 0) break;
    const at = where % list.length;
    if (kind === 0) list[at] = byte;
    else if (kind === 1) list.splice(at, 1);
    else list.splice(at, 0, byte);
  }
  return Uint8Array.from(list);
});

Deno.test("RequestHead and ChunkedBody conclude the same however the bytes are cut", () => {
  fc.assert(
    fc.property(mutated, fc.array(fc.nat(), { maxLength: 6 }), (bytes, cuts) => {
      const ends = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
      assertEquals(
        readRequests(bytes, [...ends, bytes.length]),
        readRequests(bytes, [bytes.length]),
      );
    }),
    { numRuns: runs },
  );
});

Deno.test("RequestHead and ChunkedBody conclude the same byte by byte", () => {
  for (const { text, name } of REQUEST_CASES) {
    const bytes = ascii(text).subarray(0, 3_000);
    const whole = readRequests(bytes, [bytes.length]);
    assertEquals(readRequests(bytes, [...bytes.keys()].map((at) => at + 1)), whole, name);
  }
});

Deno.test("RequestHead marks each hostile request of the table as bad or incomplete", () => {
  for (const { name, text, expect, requests } of REQUEST_CASES) {
    const bytes = ascii(text);
    const said = readRequests(bytes, [bytes.length]);
    if (expect === "accept") assert(!said.at(-1)!.startsWith("bad"), `${name}: ${said.at(-1)}`);
    else assert(said.filter((each) => each.startsWith("[")).length <= requests + 1, name);
  }
});

Deno.test("ResponseHead never throws and never runs past its input", () => {
  const bytes = fc.oneof(
    fc.constantFrom(...RESPONSE_CASES.map((each) => ascii(each.text).subarray(0, 2_000))),
    fc.uint8Array({ maxLength: 200 }),
  );
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 0, max: 255 }), (input, where, byte) => {
      const copy = input.slice();
      if (copy.length > 0) copy[where % copy.length] = byte;
      const head = new ResponseHead();
      head.restart(0);
      const progress = head.parse(copy, copy.length, false);
      if (progress === DONE) assert(head.at <= copy.length);
    }),
    { numRuns: runs },
  );
});

Deno.test("RequestHead tells where the authority and the path are", () => {
  const text = "GET http://B.test:81?x=1 HTTP/1.1\r\nHost: a.test\r\n\r\n";
  const { head, progress } = requestOf(text);
  assertEquals(progress, DONE);
  assert(head.absolute);
  assertEquals(text.slice(head.hostStart, head.hostEnd), "B.test");
  assertEquals(text.slice(head.hostStart, head.authorityEnd), "B.test:81");
  assertEquals(text.slice(head.pathStart, head.targetEnd), "?x=1");
});

Deno.test("RequestHead says 431 for a head too large and 414 for a target too long", () => {
  const large = requestOf(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(17_000)}`);
  assertEquals([large.progress, large.head.status], [BAD, 431]);
  const long = requestOf(`GET /${"x".repeat(17_000)}`);
  assertEquals([long.progress, long.head.status], [BAD, 414]);
  const many = requestOf(`GET / HTTP/1.1\r\nHost: a\r\n${"a:b\r\n".repeat(200)}\r\n`);
  assertEquals([many.progress, many.head.status], [BAD, 431]);
});

Deno.test("RequestHead keeps a connection by version and Connection", () => {
  const kept = (version: string, connection: string) =>
    requestOf(`GET / HTTP/${version}\r\nHost: a\r\n${connection}\r\n`).head.keepAlive;
  assertEquals(kept("1.1", ""), true);
  assertEquals(kept("1.1", "Connection: CLOSE\r\n"), false);
  assertEquals(kept("1.1", "Connection: x, close , y\r\n"), false);
  assertEquals(kept("1.0", ""), false);
  assertEquals(kept("1.0", "Connection: keep-alive\r\n"), true);
  assertEquals(kept("1.0", "Connection: keep-alive, close\r\n"), false);
});

Deno.test("ResponseHead frames by RFC 9112 6.3", () => {
  const framing = (fields: string, status = "200 OK", toHead = false) =>
    responseOf(`HTTP/1.1 ${status}\r\n${fields}\r\n`, toHead).head.framing;
  assertEquals(framing("Content-Length: 5\r\n"), BY_LENGTH);
  assertEquals(framing("Content-Length: 0\r\n"), NO_BODY);
  assertEquals(framing("Transfer-Encoding: chunked\r\n"), CHUNKED);
  assertEquals(framing(""), UNTIL_CLOSE);
  assertEquals(framing("Content-Length: 5\r\n", "204 x"), NO_BODY);
  assertEquals(framing("Content-Length: 5\r\n", "304 x"), NO_BODY);
  assertEquals(framing("Transfer-Encoding: chunked\r\n", "200 x", true), NO_BODY);
  assertEquals(framing("", "103 x"), NO_BODY);
});
