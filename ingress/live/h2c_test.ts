// HTTP/2 without TLS, for those who know that it is spoken (`--h2c`), beside HTTP/1 on one port; and
// Debian's varnishtest, which sends frames that no client sends.
// Row 3 of the scoreboard of faults.

import { assert, assertMatch } from "@std/assert";
import { ascii } from "../field_block.ts";
import { PREFACE } from "../h2/frames.ts";
import { answering, connect, endpoint, exchange, ok, route, testIngress } from "./testing.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

async function run(program: string, ...args: string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
    return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`not run: ${program} is not installed`);
    return null;
  }
}

async function h2cIngress(port: number) {
  return await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", port)],
    h2c: true,
    timeouts: { headMs: 1_000 },
  });
}

Deno.test("with h2c both protocols are served on one port, however their first bytes come", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await h2cIngress(backend.port);
  assertMatch(await exchange(ingress.httpPort, GET), /fine$/);
  // Byte by byte, one that begins like the other.
  using wire = await connect(ingress.httpPort);
  for (const byte of "PRI / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n") {
    await wire.write(byte);
  }
  assertMatch(await wire.readAll(), /fine$/);
  const load = await run("h2load", "-n300", "-c3", "-m10", `http://127.0.0.1:${ingress.httpPort}/`);
  if (load !== null) assertMatch(load, /300 succeeded, 0 failed, 0 errored/);
});

Deno.test("without h2c the preface is no request", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
  });
  assertMatch(await exchange(ingress.httpPort, ascii(PREFACE)), /^HTTP\/1\.1 505 /);
});

const HEAD = `txreq -req GET -url / -scheme http -hdr ":authority" a.test`;
// What varnishtest sends, and what it must be answered: the error's name, or an answer.
const SCRIPTS: readonly (readonly [name: string, spec: string])[] = [
  ["a request", `stream 1 { ${HEAD}\nrxresp\nexpect resp.status == 200\n} -run`],
  [
    "DATA on stream 0",
    `stream 0 { sendhex "000001 00 00 00000000 61"\nrxgoaway\nexpect goaway.err == PROTOCOL_ERROR\n} -run`,
  ],
  [
    "a ping of 7 bytes",
    `stream 0 { sendhex "000007 06 00 00000000 61616161616161"\nrxgoaway\nexpect goaway.err == FRAME_SIZE_ERROR\n} -run`,
  ],
  [
    "a window that grows too large",
    `stream 0 { txwinup -size 2147483647\nrxgoaway\nexpect goaway.err == FLOW_CONTROL_ERROR\n} -run`,
  ],
  [
    "HEADERS on an even stream",
    `stream 2 { sendhex "000000 01 05 00000002"\n} -run\nstream 0 { rxgoaway\nexpect goaway.err == PROTOCOL_ERROR\n} -run`,
  ],
  [
    "a block that is no HPACK",
    `stream 1 { sendhex "000003 01 05 00000001 ffffff"\n} -run\nstream 0 { rxgoaway\nexpect goaway.err == COMPRESSION_ERROR\n} -run`,
  ],
  [
    "a request without :path",
    `stream 1 { sendhex "000002 01 05 00000001 8286"\nrxrst\nexpect rst.err == PROTOCOL_ERROR\n} -run`,
  ],
];

Deno.test("varnishtest's frames are answered as RFC 9113 says", async () => {
  await using backend = answering(() => ok("fine"));
  await using ingress = await h2cIngress(backend.port);
  const folder = await Deno.makeTempDir({ prefix: "ingress-vtc-" });
  for (const [name, spec] of SCRIPTS) {
    const script = `vtest "${name}"\n\nclient c1 -connect 127.0.0.1:${ingress.httpPort} {\n` +
      `txpri\nstream 0 {\nrxsettings\nrxwinup\ntxsettings\nrxsettings\n} -run\n` +
      `${spec}\n} -run\n`;
    await Deno.writeTextFile(`${folder}/case.vtc`, script);
    const said = await run("varnishtest", "-v", `${folder}/case.vtc`);
    if (said === null) break;
    assert(/passed/.test(said) && !/FAILED/.test(said), `${name}:\n${said.slice(-3_000)}`);
  }
  assertMatch(await exchange(ingress.httpPort, GET), /fine$/);
  await Deno.remove(folder, { recursive: true });
});
