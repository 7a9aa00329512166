// The project's own tables of hostile requests and responses, through the real ingress.
// Rows 1, 2 and 4 of the scoreboard of faults.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ascii } from "../field_block.ts";
import {
  HOSTILE_REQUESTS,
  HOSTILE_RESPONSES,
  REQUEST_CASES,
  RESPONSE_CASES,
} from "../http1_cases.ts";
import { lanes, runRequestCase, runResponseCase } from "./stream_cases.ts";
import { connect, endpoint, exchange, ok, openBackend, route, testIngress } from "./testing.ts";

Deno.test("every hostile request is refused and every good one served", async () => {
  assert(HOSTILE_REQUESTS >= 200, `only ${HOSTILE_REQUESTS} hostile requests`);
  const failures: string[] = [];
  await lanes(REQUEST_CASES, async (each, lane) => {
    const stream = {
      bytes: ascii(each.text),
      expect: each.expect,
      requests: each.requests,
      neverForward: ["00", "0d-without-0a", "request for /hidden"],
      mustClose: each.expect === "reject",
    };
    const fault = await runRequestCase(stream, lane);
    if (fault !== null) failures.push(`${each.name}: ${fault}`);
  });
  assertEquals(failures.join("\n"), "");
});

Deno.test("no broken response reaches a client as a whole one", async () => {
  assert(HOSTILE_RESPONSES >= 60, `only ${HOSTILE_RESPONSES} hostile responses`);
  const failures: string[] = [];
  for (const each of RESPONSE_CASES) {
    const fault = await runResponseCase(ascii(each.text), each.method, each.expect);
    if (fault !== null) failures.push(`${each.name}: ${fault}`);
  }
  assertEquals(failures.join("\n"), "");
});

Deno.test("random bytes from clients and replicas leave everybody else served", async () => {
  const runs = Number(Deno.env.get("FUZZ_SOCKET_RUNS") ?? 300);
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]!);
  console.log(`FUZZ_SEED=${seed}`);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.tuple(
      fc.constantFrom(...REQUEST_CASES, ...RESPONSE_CASES).map((each) => ascii(each.text)),
      fc.nat(),
      fc.uint8Array({ maxLength: 3 }),
    ).map(([known, where, more]) => {
      const at = where % (known.length + 1);
      return Uint8Array.of(...known.subarray(0, at), ...more, ...known.subarray(at, 4_000));
    }),
  );
  const inputs = fc.sample(bytes, { numRuns: runs, seed: seed | 0 });
  let next = 0;
  await using backend = openBackend(async (wire) => {
    for (;;) {
      const head = await wire.readUntil("\r\n\r\n");
      if (head.startsWith("GET /good ")) await wire.write(ok("fine"));
      else {
        await wire.write(inputs[next++ % inputs.length]!);
        return;
      }
    }
  });
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
    timeouts: { headMs: 200, bodyMs: 200, idleMs: 200, responseMs: 200 },
  });
  const good = "GET /good HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
  const throwAt = async (input: Uint8Array) => {
    using wire = await connect(ingress.httpPort);
    await wire.write(input).catch(() => {});
    await wire.read();
  };
  for (let at = 0; at < inputs.length; at += 20) {
    const thrown = inputs.slice(at, at + 20).map(throwAt);
    const text = await exchange(ingress.httpPort, good);
    assert(text.endsWith("fine"), `after inputs ${at} to ${at + 20}: ${text}`);
    await Promise.all(thrown);
  }
});
