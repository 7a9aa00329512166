import { assertEquals } from "@std/assert";
import { answerDns, type Directory, type DnsAnswer } from "./dns.ts";

const APPS: Record<string, { host: string; port: number }[]> = {
  api: [
    { host: "10.0.0.1", port: 8_001 },
    { host: "10.0.0.1", port: 8_002 },
    { host: "10.0.0.2", port: 8_001 },
  ],
  six: [{ host: "fd00::7", port: 9_000 }, { host: "::1", port: 9_001 }],
  named: [{ host: "worker.example", port: 80 }],
  Mixed: [{ host: "10.0.0.9", port: 80 }],
  "dotted.v1": [{ host: "10.0.0.8", port: 80 }],
};

const directory: Directory = {
  ofApp: (app) => (APPS[app] ?? []).map((endpoint) => ({ endpoint })),
  isComplete: true,
  revision: 7,
};

function ask(name: string, type: string, turn = 0, other: Partial<Directory> = {}): DnsAnswer {
  return answerDns({ name, type, class: "IN" }, { ...directory, ...other }, turn);
}

const data = (answer: DnsAnswer) => answer.answers.map((record) => record.data);

for (
  const [name, type, rcode, expected] of [
    ["api.skr8tr", "A", "NOERROR", ["10.0.0.1", "10.0.0.2"]],
    ["API.Skr8tr.", "A", "NOERROR", ["10.0.0.1", "10.0.0.2"]],
    ["api.skr8tr", "AAAA", "NOERROR", []],
    ["api.skr8tr", "TXT", "NOERROR", []],
    ["six.skr8tr", "AAAA", "NOERROR", ["fd00::7", "::1"]],
    ["six.skr8tr", "A", "NOERROR", []],
    ["named.skr8tr", "A", "NOERROR", []],
    ["Mixed.skr8tr", "A", "NOERROR", ["10.0.0.9"]],
    ["dotted.v1.skr8tr", "A", "NOERROR", ["10.0.0.8"]],
    ["nothing.skr8tr", "A", "NXDOMAIN", []],
    ["_nothing._tcp.skr8tr", "SRV", "NXDOMAIN", []],
    ["_api._tcp.skr8tr", "A", "NOERROR", []],
    ["10-0-0-2.api.skr8tr", "A", "NOERROR", ["10.0.0.2"]],
    ["0--1.six.skr8tr", "AAAA", "NOERROR", ["::1"]],
    ["10-0-0-2.six.skr8tr", "A", "NXDOMAIN", []],
    ["169-254-169-254.api.skr8tr", "A", "NXDOMAIN", []],
    ["10-0-0-2.api.skr8tr", "SRV", "NOERROR", []],
    ["skr8tr", "A", "NOERROR", []],
    ["example.com", "A", "REFUSED", []],
    ["skr8tr.example.com", "A", "REFUSED", []],
    ["notskr8tr", "A", "REFUSED", []],
    ["", "NS", "REFUSED", []],
  ] as const
) {
  Deno.test(`answerDns() answers ${type} of "${name}" with ${rcode}, ${expected.length}`, () => {
    const answer = ask(name, type);
    assertEquals([answer.rcode, data(answer)], [rcode, [...expected]]);
    const isNegative = expected.length === 0 && rcode !== "REFUSED";
    assertEquals(answer.authorities.map((record) => record.type), isNegative ? ["SOA"] : []);
  });
}

for (const name of ["api.skr8tr", "_api._tcp.skr8tr"]) {
  Deno.test(`answerDns() answers SRV of ${name} with each port, and the addresses beside it`, () => {
    const answer = ask(name, "SRV");
    assertEquals(data(answer), [
      { priority: 0, weight: 1, port: 8_001, target: "10-0-0-1.api.skr8tr" },
      { priority: 0, weight: 1, port: 8_002, target: "10-0-0-1.api.skr8tr" },
      { priority: 0, weight: 1, port: 8_001, target: "10-0-0-2.api.skr8tr" },
    ]);
    assertEquals(answer.additionals.map((record) => [record.name, record.data]), [
      ["10-0-0-1.api.skr8tr", "10.0.0.1"],
      ["10-0-0-2.api.skr8tr", "10.0.0.2"],
    ]);
    for (const { name, data } of answer.additionals) {
      assertEquals(
        ask(name, "A").answers.map((record) => record.data),
        [data],
        "the target resolves",
      );
    }
  });
}

Deno.test("answerDns() puts another replica first each time", () => {
  const first = (
    turn: number,
  ) => (data(ask("api.skr8tr", "SRV", turn))[0] as { port: number; target: string });
  assertEquals([0, 1, 2, 3].map((turn) => `${first(turn).target}:${first(turn).port}`), [
    "10-0-0-1.api.skr8tr:8001",
    "10-0-0-1.api.skr8tr:8002",
    "10-0-0-2.api.skr8tr:8001",
    "10-0-0-1.api.skr8tr:8001",
  ]);
});

Deno.test("answerDns() bounds its answers, whatever the number of replicas, and reaches them all", () => {
  const places = Array.from({ length: 1_000 }, (_, at) => ({
    endpoint: { host: `10.1.${at >> 8}.${at & 255}`, port: 80 },
  }));
  const seen = new Set<unknown>();
  for (let turn = 0; turn < 1_000; turn++) {
    const answers = data(ask("big.skr8tr", "A", turn, { ofApp: () => places }));
    assertEquals(answers.length, 64);
    seen.add(answers[0]);
  }
  assertEquals(seen.size, 1_000);
});

Deno.test("answerDns() of a fresh tower says ask again, not that there is nothing", () => {
  assertEquals(ask("nothing.skr8tr", "A", 0, { isComplete: false }).rcode, "SERVFAIL");
  assertEquals(ask("api.skr8tr", "A", 0, { isComplete: false }).rcode, "NOERROR");
});

Deno.test("answerDns() refuses other classes", () => {
  assertEquals(
    answerDns({ name: "api.skr8tr", type: "A", class: "CH" }, directory, 0).rcode,
    "REFUSED",
  );
});
