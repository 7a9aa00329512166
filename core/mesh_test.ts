import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { DATAGRAM_BYTES } from "./limits.ts";
import { decodeMesh, digestOf, encodeMesh, type MeshKind, type MeshMessage } from "./mesh.ts";

const node = "0123456789abcdef0123456789abcdef";
const boot = "0123456789abcdef";
const of = { node, boot };
const replica = "web.1";
const status = {
  replica,
  app: "web",
  generation: 2,
  version: 7,
  state: "finished",
  pid: 1,
  port: 80,
  restarts: 3,
  sinceWallMs: 1,
  exit: { code: 1, why: "exit", wallMs: 2, tail: "last\nwords" },
  reason: "GET /health answered 500",
} as const;
const endpoint = { replica, app: "web", generation: 2, node: "node-1", host: "10.0.0.1", port: 80 };

/** One of each kind; a kind without a sample does not compile. */
const samples: { readonly [K in MeshKind]: Extract<MeshMessage, { k: K }> } = {
  beat: {
    k: "beat",
    ...of,
    bootWallMs: 1,
    beat: 1,
    name: "node-1",
    host: "10.0.0.1",
    port: 7775,
    cpuPercent: 12.5,
    cores: 2,
    ramTotalBytes: 8,
    ramFreeBytes: 4,
    gpu: true,
    labels: { zone: "a" },
    replicas: 1,
    digest: 2 ** 48 - 1,
    sequence: 9,
  },
  status: { k: "status", ...of, status },
  report: { k: "report", ...of, request: "abc", page: 0, pages: 2, statuses: [status, status] },
  "run-ok": { k: "run-ok", ...of, replica },
  "run-refused": { k: "run-refused", ...of, replica, reason: "no such port" },
  prepared: {
    k: "prepared",
    ...of,
    app: "web",
    sequence: 7,
    state: "failed",
    reason: "the disk is full",
  },
  prepare: {
    k: "prepare",
    node,
    app: "web",
    generation: 2,
    sequence: 7,
    sources: ["10.0.0.2:7775"],
  },
  "stop-ok": { k: "stop-ok", ...of, replica },
  wishes: {
    k: "wishes",
    ...of,
    wishes: [{ app: "web", replicas: 2, cpuPercent: 71.5, wish: "more" }],
  },
  "probe-result": { k: "probe-result", ...of, request: "abc", suspect: node, verdict: "silent" },
  "probe-please": {
    k: "probe-please",
    node,
    request: "abc",
    suspect: node,
    host: "10.0.0.1",
    port: 7775,
  },
  probe: { k: "probe", node, request: "abc" },
  "probe-ok": { k: "probe-ok", by: node, boot, request: "abc" },
  "beat-ok": { k: "beat-ok", conductor: boot, node, beat: 1, everyMs: 250, reportPlease: "abc" },
  "status-ok": { k: "status-ok", node, replica, version: 7 },
  run: { k: "run", node, replica, app: "web", generation: 1, sequence: 2, index: 0 },
  stop: { k: "stop", node, replica, asleep: true },
  lease: { k: "lease", ...of, count: 1, digest: 1, port: 7775, asleep: ["shop"] },
  register: {
    k: "register",
    ...of,
    request: "abc",
    order: 1,
    endpoints: [endpoint],
    whole: { page: 0, pages: 1 },
  },
  deregister: { k: "deregister", ...of, replica, order: 1 },
  "lease-ok": { k: "lease-ok", tower: boot, node, digest: 1 },
  "register-ok": { k: "register-ok", tower: boot, node, request: "abc" },
  "deregister-ok": { k: "deregister-ok", tower: boot, node, replica, drained: true, order: 1 },
  "wake-app": { k: "wake-app", node, app: "shop" },
};

for (const message of Object.values(samples)) {
  Deno.test(`mesh ${message.k} comes back as it was sent`, () => {
    assertEquals(decodeMesh(encodeMesh(message)), message);
    assert(encodeMesh(message).length < DATAGRAM_BYTES);
    assertEquals(decodeMesh(JSON.stringify({ ...message, newer: 1 })), message);
  });

  Deno.test(`mesh ${message.k} without a field, or with one of another type, is none`, () => {
    const optional = new Set(["order", "whole", "reportPlease", "sources", "asleep"]);
    if (message.k === "prepared") optional.add("reason");
    for (const key of Object.keys(message)) {
      const { [key]: _, ...without } = message as Record<string, unknown>;
      if (!optional.has(key)) assertEquals(decodeMesh(JSON.stringify(without)), null, key);
      for (const wrong of [[], -1, "\0", "x".repeat(5_000), { a: {} }]) {
        // A reason is any text.
        if (key === "reason" && wrong === "\0") continue;
        const isList = Array.isArray((message as Record<string, unknown>)[key]);
        if (isList && Array.isArray(wrong)) continue;
        assertEquals(decodeMesh(JSON.stringify({ ...message, [key]: wrong })), null, key);
      }
    }
  });
}

Deno.test("decodeMesh() gives null for what is no message", () => {
  for (
    const text of [
      "",
      "{",
      "null",
      "1",
      '"run"',
      "[]",
      "{}",
      '{"k":"nope"}',
      '{"k":"__proto__"}',
      "PING",
    ]
  ) {
    assertEquals(decodeMesh(text), null, text);
  }
  fc.assert(fc.property(fc.json(), (json) => assertEquals(decodeMesh(json), null)));
});

Deno.test("digestOf() knows a set whatever its order, and tells sets apart", () => {
  const pairs = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 20 }), fc.nat(2 ** 31)), {
    selector: ([id]) => id,
  });
  fc.assert(fc.property(pairs, fc.integer(), (set, seed) => {
    const shuffled = set.map((pair, at) => [Math.imul(at + 1, seed | 1), pair] as const)
      .sort((a, b) => a[0] - b[0]).map(([, pair]) => pair);
    const digest = digestOf(set);
    assertEquals(digestOf(shuffled), digest);
    assert(Number.isSafeInteger(digest) && digest >= 0 && digest < 2 ** 48);
    for (const [at, [id, version]] of set.entries()) {
      assert(digestOf(set.toSpliced(at, 1, [id, version + 1])) !== digest);
      assert(digestOf(set.toSpliced(at, 1)) !== digest);
    }
  }));
});

Deno.test("an app of the longest name has replicas that can be told of, whatever their numbers", () => {
  const long = `${"a".repeat(63)}.${10 ** 14}`;
  const messages: readonly MeshMessage[] = [
    { k: "stop-ok", ...of, replica: long },
    { k: "status", ...of, status: { ...status, replica: long } },
    { ...samples.run, replica: long },
  ];
  for (const message of messages) assertEquals(decodeMesh(encodeMesh(message)), message);
});
