import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { DATAGRAM_BYTES } from "./limits.ts";
import {
  decodeDatagram,
  fitDatagram,
  formatSigned,
  parseMeshV1,
  parseNodeCommand,
  parseSigned,
  parseTowerCommand,
  SIGNATURE_HEX,
  splitVerb,
} from "./wire.ts";

const HEX = "0123456789abcdef".repeat(414).slice(0, SIGNATURE_HEX);
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const byteLength = (text: string) => new TextEncoder().encode(text).length;

Deno.test("parseSigned() reads what formatSigned() wrote, whatever the command holds", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1 }), fc.nat(), (command, unixS) => {
    const text = `${command}|${unixS}`;
    const expected = { command, unixS, text, signatureHex: HEX };
    assertEquals(parseSigned(formatSigned(text, HEX)), expected);
    assertEquals(parseSigned(formatSigned(text, HEX.toUpperCase())), expected);
  }));
});

Deno.test("parseSigned() gives null for any other shape", () => {
  const good = `PING|1795177690|${HEX}`;
  assert(parseSigned(good));
  const bad = [
    "",
    "PING",
    HEX,
    `|${HEX}`,
    `|1|${HEX}`,
    `PING|${HEX}`,
    `PING||${HEX}`,
    `PING|-1|${HEX}`,
    `PING|01|${HEX}`,
    `PING|1.5|${HEX}`,
    `PING|1e9|${HEX}`,
    `PING| 1|${HEX}`,
    `PING|${"9".repeat(16)}|${HEX}`,
    `PING|1|${HEX}0`,
    `PING|1|${HEX.slice(1)}`,
    `PING|1|g${HEX.slice(1)}`,
    `${good}\n`,
  ];
  for (const text of bad) assertEquals(parseSigned(text), null, text.slice(0, 40));
});

Deno.test("splitVerb() parts at the first bar only", () => {
  assertEquals(splitVerb("LIST"), ["LIST", ""]);
  assertEquals(splitVerb("EXEC|web|a|b"), ["EXEC", "web|a|b"]);
  assertEquals(splitVerb("|x"), ["", "x"]);
});

Deno.test("decodeDatagram() drops what is empty, too long, no UTF-8 or has a NUL", () => {
  const decode = (bytes: Uint8Array) => decodeDatagram(bytes, (each) => strict.decode(each));
  assertEquals(decode(new Uint8Array(0)), null);
  assertEquals(decode(new Uint8Array(DATAGRAM_BYTES + 1).fill(65)), null);
  assertEquals(decode(new Uint8Array(DATAGRAM_BYTES).fill(65))?.length, DATAGRAM_BYTES);
  assertEquals(decode(new Uint8Array([65, 0])), null);
  assertEquals(decode(new Uint8Array([0xc3])), null);
  assertEquals(decode(new TextEncoder().encode("PING")), "PING");
});

Deno.test("fitDatagram() never exceeds its limit and cuts nothing that fits", () => {
  const text = fc.string({ unit: "binary", maxLength: 400 });
  fc.assert(fc.property(text, fc.nat(300), (each, limit) => {
    const fitted = fitDatagram(each, byteLength, limit);
    assert(byteLength(fitted) <= limit, `${byteLength(fitted)} of ${limit}`);
    if (byteLength(each) <= limit) assertEquals(fitted, each);
  }));
  assert(byteLength(fitDatagram("ü".repeat(20_000), byteLength)) <= DATAGRAM_BYTES);
  assert(fitDatagram("x".repeat(20_000), byteLength).endsWith("[...]"));
});

Deno.test("parseTowerCommand() reads the table of WIRE.md, and says what is wrong", () => {
  const web = { name: "web", ip: "10.0.0.1", port: 80 };
  assertEquals(parseTowerCommand("REGISTER|web|10.0.0.1|80"), { verb: "REGISTER", ...web });
  assertEquals(parseTowerCommand("DEREGISTER|web|10.0.0.1|80"), { verb: "DEREGISTER", ...web });
  assertEquals(parseTowerCommand("LOOKUP|web"), { verb: "LOOKUP", name: "web" });
  assertEquals(parseTowerCommand("LIST"), { verb: "LIST" });
  assertEquals(parseTowerCommand("PING"), { verb: "PING" });
  assertEquals(parseTowerCommand("list"), { error: "unknown command" });
  for (
    const rest of [
      "",
      "w b|1.1.1.1|1",
      "web|1.1.1|1",
      "web|1.1.1.1|0",
      "web|1.1.1.1|65536",
      "web|1.1.1.1|1|2",
    ]
  ) {
    assert("error" in parseTowerCommand(`REGISTER|${rest}`), rest);
  }
});

Deno.test("parseNodeCommand() reads LAUNCH with its defaults, and refuses halves of it", () => {
  assertEquals(parseNodeCommand("LAUNCH|name=a|bin=/x"), {
    verb: "LAUNCH",
    launch: { name: "a", bin: "/x", port: 0, args: "", env: {}, restart: "always", drainS: 5 },
  });
  assertEquals(
    parseNodeCommand("LAUNCH|name=a|bin=/x|port=9|args=-a b=c|env=A=1,B=x=y|restart=never|drain=0"),
    {
      verb: "LAUNCH",
      launch: {
        name: "a",
        bin: "/x",
        port: 9,
        args: "-a b=c",
        env: { A: "1", B: "x=y" },
        restart: "never",
        drainS: 0,
      },
    },
  );
  for (
    const rest of [
      "",
      "name=a",
      "bin=/x",
      "name=a|bin=x",
      "name=a|bin=/x|port=-1",
      "name=a|bin=/x|restart=x",
      "name=a|bin=/x|env=A",
      "name=a|bin=/x|junk",
    ]
  ) {
    assert("error" in parseNodeCommand(`LAUNCH|${rest}`), rest);
  }
  assertEquals(parseNodeCommand("EXEC|web|a|b"), { verb: "EXEC", app: "web", command: "a|b" });
});

Deno.test("parseMeshV1() reads heartbeats and events", () => {
  const node = "0123456789abcdef0123456789abcdef";
  assertEquals(parseMeshV1(`HEARTBEAT|${node}|12.5|2048`), {
    verb: "HEARTBEAT",
    node,
    cpuPercent: 12.5,
    ramFreeMb: 2048,
    gpu: false,
  });
  assertEquals(parseMeshV1(`DIED|${node}|web|12|-9`), {
    verb: "DIED",
    node,
    app: "web",
    pid: 12,
    exitCode: -9,
  });
  assertEquals(parseMeshV1(`RELAUNCHED|${node}|web|13`), {
    verb: "RELAUNCHED",
    node,
    app: "web",
    pid: 13,
  });
  for (
    const text of [
      "HEARTBEAT",
      `HEARTBEAT|${node}`,
      `HEARTBEAT|${node}||1`,
      `DIED|${node}|web|0|1`,
      `DIED|x|web|1|1`,
      "HELLO",
    ]
  ) {
    assert("error" in parseMeshV1(text), text);
  }
});
