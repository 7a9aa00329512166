import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { endpointOf, NodeVoice, Rig } from "../testing.ts";
import { startDns } from "./dns.ts";
import { replyTo } from "./dns_codec.ts";

const NOT_RUN = await reasonNotToDig();
if (NOT_RUN !== null) console.log(`dns_test: questions by dig are not run: ${NOT_RUN}`);

async function reasonNotToDig(): Promise<string | null> {
  try {
    await new Deno.Command("dig", { args: ["-v"], stdout: "null", stderr: "null" }).output();
    return null;
  } catch (error) {
    return `dig cannot be started (${(error as Error).message}); it is in bind9-dnsutils`;
  }
}

/** A registry with `api` (two replicas), `six` and `big` (1,000 replicas). */
function registry(): Rig {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  const at = (replica: string, app: string, host: string, port = 8_001) => ({
    ...endpointOf(replica, app, port),
    host,
  });
  rig.mesh(node.register([
    at("a1", "api", "10.0.0.1"),
    at("a2", "api", "10.0.0.2", 8_002),
    at("s1", "six", "fd00::7", 9_000),
  ]));
  for (let page = 0; page < 20; page++) {
    const endpoints = Array.from(
      { length: 50 },
      (_, number) => at(`b${page}-${number}`, "big", `10.1.${page}.${number}`),
    );
    rig.mesh(node.register(endpoints));
  }
  return rig;
}

async function dig(port: number, ...args: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command("dig", {
    args: ["@127.0.0.1", "-p", String(port), "+tries=1", "+time=3", ...args],
  }).output();
  return new TextDecoder().decode(stdout);
}

const ROWS = [
  ["api.skr8tr A +short", /^10\.0\.0\.[12]\n10\.0\.0\.[12]\n$/],
  ["api.skr8tr A +short +tcp", /^10\.0\.0\.[12]\n10\.0\.0\.[12]\n$/],
  ["six.skr8tr. AAAA +short", /^fd00::7\n$/],
  ["api.skr8tr SRV +short", /0 1 8002 10-0-0-2\.api\.skr8tr\./],
  [
    "_api._tcp.skr8tr SRV",
    /ADDITIONAL SECTION:[^]*10-0-0-1\.api\.skr8tr\.\s+1\s+IN\s+A\s+10\.0\.0\.1/,
  ],
  ["api.skr8tr A", /status: NOERROR[^]*flags: qr aa rd;/],
  ["api.skr8tr AAAA", /status: NOERROR[^]*ANSWER: 0, AUTHORITY: 1[^]*SOA/],
  ["nothing.skr8tr A", /status: NXDOMAIN[^]*SOA\s+tower\.skr8tr\./],
  ["example.com A", /status: REFUSED/],
  ["skr8tr SOA +short", /^tower\.skr8tr\. operator\.skr8tr\./],
  ["api.skr8tr A +edns=1 +noednsneg", /status: BADVERS/],
  ["api.skr8tr A +noedns", /status: NOERROR/],
  ["big.skr8tr A +noedns +ignore", /flags: qr aa tc rd/],
  ["big.skr8tr A", /Truncated|ANSWER: 64/],
  ["-x 10.0.0.1", /status: REFUSED/],
  ["api.skr8tr CH TXT", /status: REFUSED/],
] as const;

for (const [question, expected] of ROWS) {
  Deno.test({
    name: `startDns() answers dig ${question}`,
    ignore: NOT_RUN !== null,
    async fn() {
      await using dns = startDns({ hostname: "127.0.0.1", port: 0 }, registry().machine);
      const answer = await dig(dns.address.port, ...question.split(" "));
      assert(expected.test(answer), answer);
    },
  });
}

Deno.test({
  name: "startDns() gives what does not fit a datagram over TCP, to dig as to everybody",
  ignore: NOT_RUN !== null,
  async fn() {
    await using dns = startDns({ hostname: "127.0.0.1", port: 0 }, registry().machine);
    const answers = await dig(dns.address.port, "big.skr8tr", "SRV", "+short");
    assertEquals(answers.trim().split("\n").filter((line) => line.includes("8001")).length, 64);
    assertGreater(dns.answered.get("NOERROR")!, 1);
  },
});

Deno.test("startDns() answers several questions on one connection, and ends at nonsense", async () => {
  await using dns = startDns({ hostname: "127.0.0.1", port: 0 }, registry().machine);
  using connection = await Deno.connect(dns.address);
  for (let id = 1; id <= 3; id++) {
    const question = query(id, "api.skr8tr", 1);
    // In pieces, as TCP may deliver it.
    const framed = new Uint8Array([0, question.length, ...question]);
    await connection.write(framed.subarray(0, 7));
    await connection.write(framed.subarray(7));
    const reply = new Uint8Array(1_024);
    const count = await connection.read(reply);
    assertGreater(count!, 40);
    assertEquals([reply[2], reply[3]], [0, id]);
  }
  await connection.write(new Uint8Array([255, 255, 1, 2, 3]));
  assertEquals(await connection.read(new Uint8Array(10)), null);
});

/** A question in bytes: type 1 is A, 33 SRV. */
function query(id: number, name: string, type: number, flags = 0x0100): Uint8Array<ArrayBuffer> {
  const labels = name.split(".").flatMap((
    label,
  ) => [label.length, ...new TextEncoder().encode(label)]);
  return new Uint8Array([
    ...[id >> 8, id & 255, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, 0],
    ...labels,
    ...[0, 0, type, 0, 1],
  ]);
}

function reply(bytes: Uint8Array, over: "udp" | "tcp" = "udp") {
  const { machine } = registry();
  return replyTo(bytes, over, {
    ofApp: (app) => machine.registry.ofApp(app),
    isComplete: true,
    revision: 1,
  }, 0);
}

Deno.test("replyTo() never answers an answer, nor what has no header", () => {
  assertEquals(reply(query(1, "api.skr8tr", 1, 0x8100)), null);
  assertEquals(reply(new Uint8Array(11)), null);
});

for (
  const [what, bytes, rcode] of [
    ["a cut question", query(1, "api.skr8tr", 1).slice(0, 20), "FORMERR"],
    [
      "a name that points to itself",
      new Uint8Array([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1]),
      "FORMERR",
    ],
    ["no question", new Uint8Array([0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "FORMERR"],
    [
      "two questions",
      new Uint8Array([0, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]),
      "FORMERR",
    ],
    ["65,535 questions", new Uint8Array([0, 1, 1, 0, 255, 255, 0, 0, 0, 0, 0, 0]), "FORMERR"],
    ["an update", query(1, "api.skr8tr", 1, 0x2800), "NOTIMP"],
  ] as const
) {
  Deno.test(`replyTo() answers ${what} with ${rcode}`, () => {
    const answer = reply(bytes)!;
    assertEquals(answer.rcode, rcode);
    assertEquals([answer.bytes[0], answer.bytes[1], answer.bytes[2]! >> 7], [0, 1, 1]);
  });
}

Deno.test("replyTo() fits 512 bytes over UDP without EDNS", () => {
  for (const type of [1, 33, 255]) {
    assertLessOrEqual(reply(query(1, "big.skr8tr", type))!.bytes.length, 512);
  }
  assertGreater(reply(query(1, "big.skr8tr", 33), "tcp")!.bytes.length, 2_000);
});

Deno.test("replyTo() throws at no bytes whatever", () => {
  const valid = query(7, "api.skr8tr", 1);
  const mutated = fc.tuple(
    fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255))),
    fc.nat(valid.length),
  )
    .map(([changes, length]) => {
      const bytes = valid.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return bytes.slice(0, length);
    });
  const { machine } = registry();
  const directory = {
    ofApp: (app: string) => machine.registry.ofApp(app),
    isComplete: true,
    revision: 1,
  };
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      const answer = replyTo(bytes, "udp", directory, 3);
      assert(answer === null || answer.bytes.length >= 12 && answer.bytes.length <= 1_232);
    }),
    { numRuns: 20_000 },
  );
});
