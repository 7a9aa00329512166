import { assertEquals } from "@std/assert";
import { EJECT_FAILURES, EJECT_MAX_MS, EJECT_MIN_MS, SLOW_START_MS } from "../core/limits.ts";
import { Circuit } from "./circuit.ts";

Deno.test("Circuit opens after failures in a row, not after scattered ones", () => {
  const circuit = new Circuit(-Infinity);
  for (let count = 0; count < EJECT_FAILURES * 3; count++) {
    circuit.failed(0, false);
    if (count % (EJECT_FAILURES - 1) === EJECT_FAILURES - 2) circuit.succeeded(0);
  }
  assertEquals([circuit.allows(0), circuit.ejections], [true, 0]);
  for (let count = 0; count < EJECT_FAILURES; count++) circuit.failed(0, false);
  assertEquals([circuit.allows(0), circuit.ejections], [false, 1]);
});

Deno.test("Circuit opens at once for a refused connection", () => {
  const circuit = new Circuit(-Infinity);
  circuit.failed(10, true);
  assertEquals(circuit.allows(10 + EJECT_MIN_MS - 1), false);
  assertEquals(circuit.allows(10 + EJECT_MIN_MS), true);
});

Deno.test("Circuit lets one trial through, doubles its time on failure, warms up on success", () => {
  const circuit = new Circuit(-Infinity);
  circuit.failed(0, true);
  let now = EJECT_MIN_MS;
  circuit.began();
  assertEquals(circuit.allows(now), false);
  circuit.failed(now, true);
  assertEquals(circuit.openUntilMs, now + 2 * EJECT_MIN_MS);
  for (let round = 0; round < 10; round++) {
    now = circuit.openUntilMs;
    circuit.began();
    circuit.failed(now, true);
  }
  assertEquals(circuit.openUntilMs, now + EJECT_MAX_MS);
  now = circuit.openUntilMs;
  circuit.began();
  assertEquals(circuit.succeeded(now), true);
  assertEquals([circuit.allows(now), circuit.ejected], [true, false]);
  assertEquals(circuit.warmth(now), 0.1);
  assertEquals(circuit.warmth(now + SLOW_START_MS / 2), 0.5);
  assertEquals(circuit.warmth(now + SLOW_START_MS), 1);
});

Deno.test("Circuit gives the trial back when its request says nothing", () => {
  const circuit = new Circuit(-Infinity);
  circuit.failed(0, true);
  circuit.began();
  circuit.abandoned();
  assertEquals(circuit.allows(EJECT_MIN_MS), true);
});

Deno.test("Circuit counts failures of requests that were under way when it opened only once", () => {
  const circuit = new Circuit(-Infinity);
  for (let count = 0; count < 20; count++) circuit.failed(count, true);
  assertEquals([circuit.ejections, circuit.openUntilMs], [1, EJECT_MIN_MS]);
});
