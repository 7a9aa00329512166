import { assert, assertEquals } from "@std/assert";
import { STEADY_DATAGRAM_BYTES } from "../core/limits.ts";
import { encodeMesh, type Exit, type ReplicaStatus } from "../core/mesh.ts";
import { fitExit, fitReason, reportPages, StatusOutbox } from "./status.ts";

const WORST = '"€\\\u0007';

function worst(index: number): ReplicaStatus {
  const exit: Exit = { code: 255, why: "unhealthy", wallMs: 2 ** 50, tail: WORST.repeat(999) };
  return {
    replica: `r${index}`.padEnd(64, "x"),
    app: "a".repeat(63),
    generation: 123_456,
    version: 123_456,
    state: "starting",
    pid: 4_194_304,
    port: 65_535,
    restarts: 123_456,
    sinceWallMs: 2 ** 50,
    exit: fitExit(exit),
    reason: fitReason(WORST.repeat(999)),
  };
}

Deno.test("the worst status fits a steady datagram, alone and in a report", () => {
  const who = { node: "a".repeat(32), boot: "b".repeat(16) };
  const pages = reportPages([worst(1), worst(2), worst(3)]);
  assertEquals(pages.length, 3);
  const messages = [
    encodeMesh({ k: "status", ...who, status: worst(1) }),
    ...pages.map((statuses, page) =>
      encodeMesh({ k: "report", ...who, request: "r".repeat(32), page, pages: 999, statuses })
    ),
  ];
  for (const message of messages) {
    const bytes = new TextEncoder().encode(message).length;
    assert(bytes <= STEADY_DATAGRAM_BYTES, `${bytes} bytes`);
  }
});

Deno.test("reportPages() fills pages, keeps the order and loses nothing, none included", () => {
  const small = Array.from({ length: 50 }, (_, index): ReplicaStatus => ({
    replica: `r-${index}`,
    app: "web",
    generation: 1,
    version: 1,
    state: "ready",
    restarts: 0,
    sinceWallMs: 0,
  }));
  const pages = reportPages(small);
  assertEquals(pages.flat(), small);
  assert(pages.length < 10);
  assertEquals(reportPages([]), [[]]);
});

Deno.test("StatusOutbox forgets what was acknowledged and begins anew with a change", () => {
  const outbox = new StatusOutbox();
  outbox.add("a", 0);
  assertEquals([outbox.take(0), outbox.take(50), outbox.take(100)], [["a"], [], ["a"]]);
  assertEquals(outbox.dueMs, 300);
  outbox.add("a", 150);
  assertEquals(outbox.take(150), ["a"]);
  outbox.remove("a");
  assertEquals([outbox.take(9_999), outbox.dueMs], [[], Infinity]);
});
